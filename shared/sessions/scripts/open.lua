#!lua flags=allow-oom
-- open: records a session. Those whose time ran out go first; if the tenant still has too many,
-- those that were idle longest make room. What it may write is bounded, so a full Redis allows it.
-- KEYS  1 sorted set: the tenant's sessions by last use in epoch ms  2 hash: what is known of each
-- ARGV  1 session  2 user  3 client  4 idle timeout in ms  5 the most sessions of the tenant
-- Returns the sessions that made room.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function drop(sessions)
  for _, session in ipairs(sessions) do
    redis.call('ZREM', KEYS[1], session)
    redis.call('HDEL', KEYS[2], session)
  end
end

drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4]))
local evicted = {}
local over = redis.call('ZCARD', KEYS[1]) + 1 - ARGV[5]
if over > 0 then evicted = redis.call('ZRANGE', KEYS[1], 0, over - 1) end
drop(evicted)

redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode({ user = ARGV[2], client = ARGV[3], createdAt = now }))
-- Once nobody uses any of them, nothing of them is left.
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return evicted
