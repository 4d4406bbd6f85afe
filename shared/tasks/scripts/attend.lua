#!lua flags=allow-oom
-- attend: one more channel hears the reply of a call that has not ended. See `conclude.lua`, which
-- tells those who wait.
-- KEYS  1 hash: the call  2 set: channels that wait for its reply besides the first
-- ARGV  1 channel
-- Returns 1 if the reply is to come, 0 if the call has ended.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'waiters', 1)
return 1
