-- claim: takes the next calls for a worker's free slots, in fair order.
-- KEYS  1 index prefix
-- ARGV  1 how many at most  2 token, unique per claim  3 lease in ms  4 worker
-- Returns {Redis time in ms, ms until a hold ends (0 = none), list of taken calls (see take.lua)}.
local held = redis.call('PTTL', HOLD)
local taken = take(tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4])
close()
keep()
return { now, math.max(0, held), taken }
