-- start(book, token, leaseMs, worker): starts the tenant's next job under that token, as BullMQ's moveToActive
-- does. Returns its id and fields, or nil if there is none to start now. What stock tools may have set up besides
-- (a pause, a rate limit, delays, priorities) is BullMQ's own to judge.
local function fieldsOf(job)
  return redis.call('HMGET', job, 'data', 'replyTo', 'sequence', 'ats', 'begun', 'cancel', 'deadline')
end

local function isPlain(book)
  if book.isPlain == nil then
    book.isPlain = not book.paused and not book.rateLimited and redis.call('EXISTS', book.queue .. 'delayed') == 0
  end
  return book.isPlain and book.active < book.cap
end

local function start(book, token, leaseMs, worker)
  local queue = book.queue
  if not book.cap then return nil end
  if isPlain(book) then
    local id = redis.call('RPOPLPUSH', queue .. 'wait', queue .. 'active')
    if id and string.sub(id, 1, 2) ~= '0:' then
      local fields = fieldsOf(queue .. id)
      fields[4] = whole((tonumber(fields[4]) or 0) + 1)
      redis.call('SET', queue .. id .. ':lock', token, 'PX', leaseMs)
      redis.call('HSET', queue .. id, 'processedOn', now, 'pb', worker, 'ats', fields[4])
      book.waiting, book.active = book.waiting - 1, book.active + 1
      return id, fields
    end
    -- A marker of BullMQ 4 goes back to where it was.
    if id then
      redis.call('LREM', queue .. 'active', 1, id)
      redis.call('RPUSH', queue .. 'wait', id)
    end
  end
  local job = bullTake({
    queue .. 'wait', queue .. 'active', queue .. 'prioritized', queue .. 'events',
    queue .. 'stalled', queue .. 'limiter', queue .. 'delayed', queue .. 'paused',
    queue .. 'meta', queue .. 'pc', queue .. 'marker',
  }, { queue, whole(now), cmsgpack.pack({ token = token, lockDuration = leaseMs, name = worker }) })
  recount(book)
  if type(job[1]) == 'table' then return job[2], fieldsOf(queue .. job[2]) end
end
