-- Takes tokens of one rate, by GCRA: the key holds when a bucket without spare tokens would next be
-- even, in µs of Redis time. Atomic and by one clock, so that any number of workers share one rate.
--
-- KEYS[1]  the rate of one tenant for one kind of request
-- ARGV     µs per token, µs of spare tokens a bucket may hold, tokens wanted
-- Returns  tokens granted, and if none the ms until there is one
local interval, spare, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local even = math.max(now, tonumber(redis.call('GET', KEYS[1])) or 0)
-- Further ahead it can only be because the clock was set back.
even = math.min(even, now + spare)

local granted = math.min(wanted, math.floor((now + spare - even) / interval))
if granted < 1 then
  return { 0, math.ceil((even + interval - spare - now) / 1000) }
end
even = even + granted * interval
redis.call('SET', KEYS[1], string.format('%.0f', even), 'PX', math.ceil((even - now) / 1000) + 1)
return { granted, 0 }
