-- settle: ends one call under its lease's token, stores and publishes its reply, and brings the
-- slot's next calls. Idempotent by token.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 id  3 token  4 reply
--       5 how many next calls at most  6 token of that claim  7 lease in ms  8 worker
--       9 1 if a retry under the same idempotency key is to get this reply, 0 if it may run again
--         (which it may not once the call had begun)
--      10 what happened, as JSON, if this is to be a dead letter ('' = it is not)
-- Returns {'settled' | 'lost', Redis time in ms, list of taken calls (see take.lua)}.
local tenant, id, token, reply = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local queue = queueOf(tenant)
local lock = queue .. id .. ':lock'

local function settle()
  local job = jobOf(tenant, id)
  local rest = ARGV[10] ~= '' and grave(tenant, id)
  -- The lease ran out, but nobody took the call: what a once-tool has done is known to us alone.
  if job.begun == token and redis.call('EXISTS', lock) == 0 and redis.call('LPOS', queue .. 'active', id) then
    redis.call('SET', lock, token, 'PX', 1000)
  end
  local code = bullFinish({
    queue .. 'wait', queue .. 'active', queue .. 'prioritized', queue .. 'events', queue .. 'stalled',
    queue .. 'limiter', queue .. 'delayed', queue .. 'paused', queue .. 'meta', queue .. 'pc',
    queue .. 'completed', queue .. id, queue .. 'metrics', queue .. 'marker',
  }, { id, whole(now), 'returnvalue', '1', 'completed', '0', queue,
    cmsgpack.pack({ token = token, keepJobs = { count = 0 }, attempts = 1, maxMetricsSize = '', lockDuration = 1 }) })
  if type(code) == 'number' and code < 0 then
    -- Our own settlement, resent because its answer was lost on the way.
    local stored = redis.call('GET', REPLY .. id)
    return stored and string.gsub(string.match(stored, '^%S+'), '^%-', '') == token
  end
  local kept = ARGV[9] == '1' or job.begun
  conclude(tenant, id, kept and token or '-' .. token, reply, job)
  if rest then
    bury(tenant, id, ARGV[10], rest)
  elseif job.fingerprint ~= '' then
    -- A retry under the same key has ended well.
    exhume(tenant, id)
  end
  arm(tenant)
  record('s', tenant, short(id))
  return true
end

local outcome = settle() and 'settled' or 'lost'
local taken = take(tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), ARGV[8])
keep()
return { outcome, whole(now), taken }
