#!lua flags=allow-oom
-- append: puts decisions into their tenants' outboxes, once, however often the batch is sent.
-- KEYS  1 set: tenants with something in their outbox  2 hash: decisions dropped, by tenant
--       3 string, expiring: number of the last batch of this process
-- ARGV  1 start of the outboxes' keys  2 the most entries of all outboxes  3 batch  4 milliseconds
--       for which the batch number is kept  then for each: tenant, 'event' or 'dropped', JSON or count
-- What it may write is bounded, so a full Redis allows it.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

if tonumber(redis.call('GET', KEYS[3]) or 0) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])

local tenants, rooms = {}, {}
for i = 5, #ARGV, 3 do tenants[#tenants + 1] = ARGV[i] end
redis.call('SADD', KEYS[1], unpack(tenants))
-- Each tenant has an equal share of the room, so that none crowds out the others.
local share = math.max(10, math.floor(ARGV[2] / redis.call('SCARD', KEYS[1])))
local hasGaps = redis.call('EXISTS', KEYS[2]) == 1

-- What was dropped is told where it is missing, as soon as there is room.
local function tellGap(tenant, outbox)
  local dropped = redis.call('HGET', KEYS[2], tenant)
  if not dropped then return end
  local gap = { at = now, action = 'gap', dropped = tonumber(dropped) }
  redis.call('XADD', outbox, '*', 'event', cjson.encode(gap))
  redis.call('HDEL', KEYS[2], tenant)
end

for i = 5, #ARGV, 3 do
  local tenant, kind, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local outbox = ARGV[1] .. tenant
  rooms[tenant] = rooms[tenant] or share - redis.call('XLEN', outbox)
  if kind == 'dropped' or rooms[tenant] <= 0 then
    redis.call('HINCRBY', KEYS[2], tenant, kind == 'dropped' and text or 1)
    hasGaps = true
  else
    if hasGaps then tellGap(tenant, outbox) end
    redis.call('XADD', outbox, '*', 'event', text)
    rooms[tenant] = rooms[tenant] - 1
  end
end
return 1
