#!lua flags=allow-oom
-- remove: takes what is chained by now out of a tenant's outbox. If anything had been dropped for
-- want of room, there is room now to say so.
-- KEYS  1 set: tenants with something in their outbox  2 hash: decisions dropped, by tenant  3 the outbox
-- ARGV  1 tenant  then the ids
-- Returns 1 if it said so, else 0.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

if #ARGV > 1 then redis.call('XDEL', KEYS[3], unpack(ARGV, 2)) end
local dropped = redis.call('HGET', KEYS[2], ARGV[1])
if dropped then
  local gap = { at = now, action = 'gap', dropped = tonumber(dropped) }
  redis.call('XADD', KEYS[3], '*', 'event', cjson.encode(gap))
  redis.call('HDEL', KEYS[2], ARGV[1])
end
if redis.call('XLEN', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[3])
  redis.call('SREM', KEYS[1], ARGV[1])
end
return dropped and 1 or 0
