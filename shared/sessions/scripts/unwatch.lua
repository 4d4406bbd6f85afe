#!lua flags=allow-oom
-- unwatch: a session no longer wants to hear of a resource.
-- KEYS  1 hash: the session's state  2 hash: how many resources each session watches
-- ARGV  1 session  2 field of the resource
-- Returns 1 if it was watched.
if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], ARGV[1], -1) <= 0 then redis.call('HDEL', KEYS[2], ARGV[1]) end
return 1
