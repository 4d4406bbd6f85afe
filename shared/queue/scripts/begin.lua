-- begin: marks that a tool whose effect must happen once is about to start. Idempotent by token.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 id  3 token
-- Returns 'begun', 'lost' if the lease is not ours any more, or 'unknown' if an earlier attempt had begun.
local job = queueOf(ARGV[1]) .. ARGV[2]
if redis.call('GET', job .. ':lock') ~= ARGV[3] then
  return 'lost'
end
redis.call('HSETNX', job, 'begun', ARGV[3])
return redis.call('HGET', job, 'begun') == ARGV[3] and 'begun' or 'unknown'
