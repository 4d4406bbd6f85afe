#!lua flags=allow-oom
-- touch: tells whether a session still stands, and notes that it is used. Mostly it only reads:
-- a use is noted when the last note is old enough.
-- KEYS  1 sorted set: the tenant's sessions by last use in epoch ms  2 hash: what is known of each
--       3 hash: the session's state  4 hash: how many resources each session watches
-- ARGV  1 session  2 idle timeout in ms  3 ms within which a use is not noted again
-- Returns 1 if it stands; 0 if it was ended, made room, or was idle for too long.
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not seen then return 0 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local idle = now - tonumber(seen)
if idle >= tonumber(ARGV[2]) then return 0 end
if idle >= tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
end
return 1
