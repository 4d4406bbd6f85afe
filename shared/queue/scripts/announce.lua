-- announce: says that a worker lives, what it can run, and which messages it reads.
-- KEYS  1 index prefix
-- ARGV  1 worker  2 slots  3 highest version of messages it reads  4 ms for which this holds (0 = it leaves)
-- Returns the highest version that every live worker reads.
local worker, ttl = ARGV[1], tonumber(ARGV[4])
if ttl > 0 then
  redis.call('HSET', WORKERS, worker, whole(now + ttl) .. ' ' .. ARGV[3])
else
  redis.call('HDEL', WORKERS, worker)
end
record('w', worker, ARGV[2], ARGV[4])
keep()
return readable(tonumber(ARGV[3]))
