-- sweep: puts calls whose lease ran out back in line, and ends waiting calls past their deadline.
-- KEYS  1 index prefix
-- ARGV  1 how many tenants and how many deadlines at most
-- Returns {list of 'tenant/id' put back, list of 'tenant/id' expired, 1 if more is due now}.
local limit = tonumber(ARGV[1])
local recovered, expired = {}, {}

local function recover(tenant)
  local book = open(tenant)
  local queue = book.queue
  local nextCheck = now + REPAIR_MS
  local lost = false
  for _, id in ipairs(redis.call('LRANGE', queue .. 'active', 0, -1)) do
    local left = redis.call('PTTL', queue .. id .. ':lock')
    -- In the very millisecond of its end a lock still exists, with 0 left.
    if left ~= -2 then
      nextCheck = math.min(nextCheck, now + math.max(left, 0) + 1)
    else
      -- BullMQ asks for two sweeps before it believes in a stalled job; a missing lock is proof enough.
      redis.call('SADD', queue .. 'stalled', id)
      lost = true
    end
  end
  if lost then
    redis.call('DEL', queue .. 'stalled-check')
    -- The first argument is how often a job may stall. A crash is not the call's fault: its deadline ends it.
    local moved = bullStalled({
      queue .. 'stalled', queue .. 'wait', queue .. 'active', queue .. 'stalled-check', queue .. 'meta',
      queue .. 'paused', queue .. 'marker', queue .. 'events', queue .. 'repeat',
    }, { 1000000, queue, whole(now), 1 })
    for _, id in ipairs(moved) do
      recovered[#recovered + 1] = member(tenant, id)
      record('l', tenant, short(id))
    end
  end
  recount(book)
  -- Stock tools may have emptied the queue, and left the tenant in READY.
  book.isReady = nil
  redis.call('ZADD', BUSY, nextCheck, tenant)
end

local function forget(tenant, id)
  for _, set in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    redis.call('ZREM', queueOf(tenant) .. set, id)
  end
  redis.call('DEL', queueOf(tenant) .. id)
end

local function expire(entry)
  local tenant, id = string.match(entry, '^([^/]+)/(.+)$')
  local job = jobOf(tenant, id)
  if not job.exists then
    redis.call('ZREM', DEADLINES, entry)
    redis.call('DEL', WAITERS .. id)
  elseif redis.call('LPOS', queueOf(tenant) .. 'active', id) then
    -- It runs: its worker ends it, or the lease does. Look again soon.
    redis.call('ZADD', DEADLINES, now + 500, entry)
  else
    local book = open(tenant)
    local begun = job.begun
    local letter = grave(tenant, id)
    if not remove(book, id) then
      -- A stock BullMQ tool has taken it elsewhere, and what became of it nobody knows.
      forget(tenant, id)
      begun = true
    end
    local reply = '{"v":1,"id":"' .. id .. '","status":"expired","begun":' .. tostring(begun and true or false) .. '}\n'
    conclude(book, id, begun and '~' or '-', reply, job)
    if begun then
      bury(tenant, id, '{"code":"outcome_unknown","message":"The call was interrupted after it had begun, and its time ran out."}', letter)
    end
    expired[#expired + 1] = entry
    record('x', tenant, short(id))
  end
end

local due = redis.call('ZRANGEBYSCORE', BUSY, '-inf', now, 'LIMIT', 0, limit)
for _, tenant in ipairs(due) do recover(tenant) end
local late = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, limit)
for _, entry in ipairs(late) do expire(entry) end
close()
-- The last to be woken may have died of it.
ring()
keep()
return { recovered, expired, (#due == limit or #late == limit) and 1 or 0 }
