-- census: some of the tenants that have work, and how much.
-- KEYS  1 set of tenants with work  2 prefix of the tenants' queues
-- ARGV  1 cursor  2 about how many tenants
-- Returns {next cursor, flat list of tenant, waiting, running, how many of the waiting could start now}.
local page = redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local counted = {}
for i = 1, #page[2], 2 do
  local queue = KEYS[2] .. page[2][i] .. ':'
  local waiting = redis.call('LLEN', queue .. 'wait')
  local running = redis.call('LLEN', queue .. 'active')
  local limits = redis.call('HMGET', queue .. 'meta', 'concurrency', 'paused')
  local room = 0
  if limits[1] and not limits[2] then
    room = math.max(0, math.min(waiting, tonumber(limits[1]) - running))
  end
  local n = #counted
  counted[n + 1], counted[n + 2], counted[n + 3], counted[n + 4] = page[2][i], waiting, running, room
end
return { page[1], counted }
