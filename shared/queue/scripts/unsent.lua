-- unsent: gives out dead letters that have no copy in SQS yet, each to one worker for a while.
-- KEYS  1 index prefix
-- ARGV  1 how many at most  2 ms after which another may try
-- Returns a list of 'tenant/id'.
local due = redis.call('ZRANGEBYSCORE', UNSENT, '-inf', now, 'LIMIT', 0, ARGV[1])
for _, entry in ipairs(due) do
  redis.call('ZADD', UNSENT, 'XX', now + tonumber(ARGV[2]), entry)
end
return due
