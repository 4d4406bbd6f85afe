-- settle: ends calls, each under its lease's token, stores and publishes their replies, and brings the
-- slots' next calls. Idempotent by token.
-- KEYS  1 index prefix
-- ARGV  1 how many next calls at most  2 token of that claim  3 lease in ms  4 worker, then for each:
--       1 tenant  2 id  3 token  4 reply
--       5 1 if a retry under the same idempotency key is to get this reply, 0 if it may run again
--         (which it may not once the call had begun)
--       6 what happened, as JSON, if this is to be a dead letter ('' = it is not)
-- Returns {Redis time in ms, list of taken calls (see take.lua), and for each 'settled', 'lost', or an
-- error's text}.
local WIDTH = 6

local function settle(tenant, id, token, reply, isFinal, obituary)
  local queue = queueOf(tenant)
  local lock = queue .. id .. ':lock'
  local job = jobOf(tenant, id)
  local letter = obituary ~= '' and grave(tenant, id)
  -- The lease ran out, but nobody took the call: what a once-tool has done is known to us alone.
  if job.begun == token and redis.call('EXISTS', lock) == 0 and redis.call('LPOS', queue .. 'active', id) then
    redis.call('SET', lock, token, 'PX', 1000)
  end
  local book = open(tenant)
  if not finish(book, id, token, job) then
    -- Our own settlement, resent because its answer was lost on the way.
    local stored = redis.call('GET', REPLY .. id)
    local isOurs = stored and string.gsub(string.match(stored, '^%S+'), '^%-', '') == token
    return isOurs and 'settled' or 'lost'
  end
  local kept = isFinal == '1' or job.begun
  conclude(book, id, kept and token or '-' .. token, reply, job)
  if letter then
    bury(tenant, id, obituary, letter)
  elseif job.fingerprint ~= '' then
    -- A retry under the same key has ended well.
    exhume(tenant, id)
  end
  record('s', tenant, short(id))
  return 'settled'
end

local answer = { now, {} }
for i = 5, #ARGV, WIDTH do
  -- One call whose keys hold something unexpected does not cost the others their replies.
  local ok, outcome = pcall(settle, unpack(ARGV, i, i + WIDTH - 1))
  answer[#answer + 1] = ok and outcome or tostring(type(outcome) == 'table' and outcome.err or outcome)
end
-- What has become startable takes part in the order.
for _, book in ipairs(opened) do arm(book) end
answer[2] = take(tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4])
close()
keep()
return answer
