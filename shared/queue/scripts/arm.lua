-- arm(tenant): brings the index in line with the tenant's queue. Called after every change to it.
-- The tenant is in READY exactly if a job waits and the cap has room, and in BUSY exactly if
-- anything waits or runs. A tenant without work leaves nothing behind but its limits.
local function arm(tenant)
  local queue = queueOf(tenant)
  -- BullMQ writes an event for every step; replies travel by pub/sub, so nobody reads them.
  redis.call('DEL', queue .. 'events')
  local waiting = redis.call('LLEN', queue .. 'wait')
  local active = redis.call('LLEN', queue .. 'active')
  local virtual = redis.call('HMGET', TAG, '', tenant)
  local clock, finish = tonumber(virtual[1] or 0), tonumber(virtual[2] or 0)

  if waiting + active == 0 then
    redis.call('ZREM', READY, tenant)
    redis.call('ZREM', BUSY, tenant)
    redis.call('DEL', queue .. 'marker', queue .. 'stalled', queue .. 'stalled-check', queue .. 'id')
    redis.call('HDEL', queue .. 'meta', 'backlogBytes', 'settledAt')
    if redis.call('EXISTS', BUSY) == 0 then
      redis.call('DEL', TAG)
    elseif finish <= clock then
      redis.call('HDEL', TAG, tenant)
    end
    return
  end

  redis.call('ZADD', BUSY, 'NX', now + REPAIR_MS, tenant)
  local limits = redis.call('HMGET', queue .. 'meta', 'concurrency', 'paused')
  if waiting > 0 and limits[1] and not limits[2] and active < tonumber(limits[1]) then
    redis.call('ZADD', READY, 'NX', math.max(clock, finish), tenant)
  else
    redis.call('ZREM', READY, tenant)
  end
end

-- ring(): wakes one idle worker if there is anything to start. That worker's claim rings again
-- while more is left, so that wake-ups spread without a herd.
local function ring()
  if redis.call('EXISTS', READY) == 1 and redis.call('EXISTS', BELL) == 0 then
    redis.call('RPUSH', BELL, 1)
  end
end
