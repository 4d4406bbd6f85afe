-- open(tenant): the tenant's book: what a script has to know of its queue, read once. Whoever changes
-- the queue keeps the book in step. arm(book) brings READY in line, before anything is taken from it;
-- close() ends every script that has opened a book: it writes them back, and rings the bell.
-- So a script that handles many calls of a tenant reads and writes what they share only once.
local books, opened = {}, {}
-- Virtual time of the fair order, once timeOf() has been asked.
local clock

local function open(tenant)
  if books[tenant] then return books[tenant] end
  local queue = queueOf(tenant)
  local meta = redis.call('HMGET', queue .. 'meta', 'concurrency', 'paused', 'weight', 'limitsVersion',
    'sequence', 'backlogBytes', 'gapMs', 'settledAt', 'max')
  local book = {
    tenant = tenant, queue = queue, changes = {},
    waiting = redis.call('LLEN', queue .. 'wait'), active = redis.call('LLEN', queue .. 'active'),
    cap = tonumber(meta[1]), paused = meta[2], weight = tonumber(meta[3]) or 1, version = tonumber(meta[4]) or 0,
    sequence = tonumber(meta[5]) or 0, bytes = tonumber(meta[6]) or 0, gapMs = tonumber(meta[7]),
    settledAt = tonumber(meta[8]), rateLimited = meta[9],
  }
  -- With nothing waiting it is not in READY; if it were, take() would drop it.
  if book.waiting == 0 then book.isReady = false end
  books[tenant] = book
  opened[#opened + 1] = book
  return book
end

-- timeOf(book): where the tenant stands in the fair order, at its last virtual finish or at the clock.
local function timeOf(book)
  if not (clock and book.finish) then
    local virtual = redis.call('HMGET', TAG, '', book.tenant)
    clock = clock or tonumber(virtual[1]) or 0
    book.finish = book.finish or tonumber(virtual[2]) or 0
  end
  return math.max(clock, book.finish)
end

-- recount(book): after BullMQ's own Lua has changed the queue. It writes an event for every step;
-- replies travel by pub/sub, so nobody reads them.
local function recount(book)
  book.waiting = redis.call('LLEN', book.queue .. 'wait')
  book.active = redis.call('LLEN', book.queue .. 'active')
  redis.call('DEL', book.queue .. 'events')
end

local function startable(book)
  return book.waiting > 0 and book.cap and not book.paused and not book.isStuck and book.active < book.cap
end

-- A tenant without work leaves nothing behind but its limits.
local function rest(book)
  if book.isResting then return end
  book.isResting = true
  local queue, tenant = book.queue, book.tenant
  redis.call('ZREM', BUSY, tenant)
  redis.call('DEL', queue .. 'events', queue .. 'marker', queue .. 'stalled', queue .. 'stalled-check', queue .. 'id')
  redis.call('HDEL', queue .. 'meta', 'backlogBytes', 'settledAt')
  book.changes.backlogBytes, book.changes.settledAt = nil, nil
  if redis.call('EXISTS', BUSY) == 0 then
    redis.call('DEL', TAG)
    clock = 0
    for _, each in ipairs(opened) do each.finish = 0 end
  elseif timeOf(book) == clock then
    redis.call('HDEL', TAG, tenant)
    book.finish = 0
  end
end

-- The tenant is in READY exactly if a job waits and the cap has room, and in BUSY exactly if anything
-- waits or runs.
local function arm(book)
  local isReady = startable(book) and true or false
  if book.isReady ~= isReady then
    if isReady then
      redis.call('ZADD', READY, 'NX', timeOf(book), book.tenant)
    else
      redis.call('ZREM', READY, book.tenant)
    end
    book.isReady = isReady
  end
  if book.waiting + book.active == 0 then rest(book) end
end

-- ring(): wakes one idle worker if there is anything to start. That worker's claim rings again
-- while more is left, so that wake-ups spread without a herd.
local function ring()
  if redis.call('EXISTS', READY) == 1 and redis.call('EXISTS', BELL) == 0 then
    redis.call('RPUSH', BELL, 1)
  end
end

local function close()
  for _, book in ipairs(opened) do
    arm(book)
    if not book.isResting then
      redis.call('ZADD', BUSY, 'NX', now + REPAIR_MS, book.tenant)
    end
    local fields = {}
    for field, value in pairs(book.changes) do
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
    if #fields > 0 then redis.call('HSET', book.queue .. 'meta', unpack(fields)) end
  end
  if #opened > 0 then ring() end
end
