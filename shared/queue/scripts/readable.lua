-- readable(own): the highest version of messages that every live worker reads, at most `own`.
-- 0 if no worker is known to live.
local function readable(own)
  local lowest = 0
  local workers = redis.call('HGETALL', WORKERS)
  for i = 1, #workers, 2 do
    local validUntil, version = string.match(workers[i + 1], '^(%d+) (%d+)$')
    if not validUntil or tonumber(validUntil) < now then
      redis.call('HDEL', WORKERS, workers[i])
    else
      lowest = math.min(lowest == 0 and own or lowest, tonumber(version))
    end
  end
  return lowest
end
