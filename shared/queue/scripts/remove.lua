-- remove(tenant, id): takes a waiting call out of its queue. Returns true if it was waiting.
local function remove(tenant, id)
  local queue = queueOf(tenant)
  -- From the tail, where the oldest are: what expires or is cancelled has mostly waited long.
  if redis.call('LREM', queue .. 'wait', -1, id) == 0 then
    return false
  end
  redis.call('DEL', queue .. id, queue .. id .. ':logs')
  return true
end
