-- announce: says that a worker or an ingress lives, what it can run, and which messages it reads.
-- KEYS  1 index prefix
-- ARGV  1 name  2 slots (0 = an ingress)  3 highest version of messages it reads
--       4 ms for which this holds (0 = it leaves)  5 channel of those who write messages
-- Returns the highest version that every live worker and ingress reads; 0 without a live worker.
local name, ttl = ARGV[1], tonumber(ARGV[4])
local changed
if ttl > 0 then
  changed = redis.call('HSET', READERS, name, whole(now + ttl) .. ' ' .. ARGV[3] .. ' ' .. ARGV[2]) == 1
else
  changed = redis.call('HDEL', READERS, name) == 1
end
local version, forgot = readable()
if changed or forgot then
  redis.call('PUBLISH', ARGV[5], version)
end
if ARGV[2] ~= '0' then
  record('w', name, ARGV[2], ARGV[4])
end
keep()
return version
