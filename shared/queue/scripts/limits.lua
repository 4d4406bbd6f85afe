-- applyLimits(tenant, cap, weight, version): writes a tenant's limits unless newer ones are there.
-- Without a cap BullMQ would start everything, and without maxLenEvents keep 10,000 events.
-- `limitsVersion`, because every stock BullMQ `Queue` writes its own `version` into the same hash.
-- Returns true if they were written.
local function applyLimits(tenant, cap, weight, version)
  local meta = queueOf(tenant) .. 'meta'
  if tonumber(redis.call('HGET', meta, 'limitsVersion') or 0) >= tonumber(version) then
    return false
  end
  local before = redis.call('HGET', meta, 'concurrency')
  record('c', tenant, before or '-', cap, weight)
  redis.call('HSET', meta, 'concurrency', cap, 'weight', weight, 'limitsVersion', version,
    'opts.maxLenEvents', 0)
  return true
end
