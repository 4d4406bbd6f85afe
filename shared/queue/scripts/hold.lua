-- hold: recognises a Redis that was restarted or failed over, and may have lost the last moments.
-- Leases that it forgot may still be alive in their workers, so nothing is claimed until they end.
-- Called by every process on every new connection, before anything else.
-- KEYS  1 index prefix
-- ARGV  1 the longest lease in ms  2 run_id that the caller last saw ('' = none yet), for a Redis that
--         came back with nothing
-- Returns {ms for which nothing will be claimed (0 = no hold), run_id, 1 if this is the first call since the
-- restart}.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local before = redis.call('GET', RUN)
local isFirst = 0
if before ~= run then
  redis.call('SET', RUN, run)
  if before or (ARGV[2] ~= '' and ARGV[2] ~= run) then
    redis.call('SET', HOLD, 1, 'PX', ARGV[1])
    record('h', ARGV[1])
    keep()
    isFirst = 1
  end
end
return { math.max(0, redis.call('PTTL', HOLD)), run, isFirst }
