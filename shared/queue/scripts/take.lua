-- take(n, token, leaseMs, worker): starts up to n calls, fairly (start-time fair queueing): the tenant
-- with the least virtual time goes first, and each start moves it on by 1/weight.
-- Returns a list of {tenant, id, token of this attempt, fields of the job as a flat list}.
-- Takes nothing during a hold, and nothing from a tenant without a cap.
local function take(n, token, leaseMs, worker)
  local taken = {}
  if n < 1 or redis.call('EXISTS', HOLD) == 1 then
    return taken
  end
  -- The bound keeps one script short even if READY names many tenants with nothing to start.
  for _ = 1, n + 64 do
    if #taken == n then break end
    local popped = redis.call('ZPOPMIN', READY)
    local tenant, start = popped[1], tonumber(popped[2])
    if not tenant then break end
    local queue = queueOf(tenant)
    local started = false
    local limits = redis.call('HMGET', queue .. 'meta', 'concurrency', 'weight')
    if limits[1] then
      local attempt = token .. '.' .. (#taken + 1)
      local job = bullTake({
        queue .. 'wait', queue .. 'active', queue .. 'prioritized', queue .. 'events',
        queue .. 'stalled', queue .. 'limiter', queue .. 'delayed', queue .. 'paused',
        queue .. 'meta', queue .. 'pc', queue .. 'marker',
      }, { queue, whole(now), cmsgpack.pack({ token = attempt, lockDuration = leaseMs, name = worker }) })
      started = type(job[1]) == 'table'
      if started then
        redis.call('HSET', TAG, '', start, tenant, start + 1 / tonumber(limits[2] or 1))
        redis.call('ZADD', BUSY, 'LT', now + leaseMs, tenant)
        record('g', tenant, short(job[2]), whole(leaseMs))
        taken[#taken + 1] = { tenant, job[2], attempt, job[1] }
      end
    end
    arm(tenant)
    if not started then
      -- BullMQ had a reason of its own, such as a rate limit set by its tools. The next sweep looks
      -- again; armed as it is, the tenant would be popped without end.
      redis.call('ZREM', READY, tenant)
    end
  end
  ring()
  return taken
end
