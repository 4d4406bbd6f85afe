-- readable(): the highest version of messages that every live worker and ingress reads; 0 without a
-- live worker. Returns besides whether some were found dead, and forgotten.
local function readable()
  local lowest, workers, forgot = nil, 0, false
  local readers = redis.call('HGETALL', READERS)
  for i = 1, #readers, 2 do
    local validUntil, version, slots = string.match(readers[i + 1], '^(%d+) (%d+) (%d+)$')
    if not validUntil or tonumber(validUntil) < now then
      redis.call('HDEL', READERS, readers[i])
      forgot = true
    else
      lowest = math.min(lowest or tonumber(version), tonumber(version))
      if tonumber(slots) > 0 then workers = workers + 1 end
    end
  end
  return workers > 0 and lowest or 0, forgot
end
