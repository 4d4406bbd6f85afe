#!lua flags=allow-oom
-- watch: a session wants to hear of a resource, if its tenant's sessions watch few enough. Those
-- that are over no longer count. What it may write is bounded, so a full Redis allows it.
-- KEYS  1 hash: the session's state  2 hash: how many resources each session watches
--       3 sorted set: the tenant's sessions by last use in epoch ms
-- ARGV  1 session  2 field of the resource  3 the most of the tenant  4 idle timeout in ms
-- Returns 1 if it is watched, 0 if there was no room.
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then return 1 end
local clock = redis.call('TIME')
local over = clock[1] * 1000 + math.floor(clock[2] / 1000) - ARGV[4]

local total = 0
local counts = redis.call('HGETALL', KEYS[2])
for at = 1, #counts, 2 do
  local seen = redis.call('ZSCORE', KEYS[3], counts[at])
  if seen and tonumber(seen) > over then
    total = total + counts[at + 1]
  else
    redis.call('HDEL', KEYS[2], counts[at])
  end
end
if total >= tonumber(ARGV[3]) then return 0 end

redis.call('HSET', KEYS[1], ARGV[2], '')
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
