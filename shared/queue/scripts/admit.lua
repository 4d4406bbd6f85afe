-- admit: accepts one call onto its tenant's queue, or says why not. Idempotent by id.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 user  3 id  4 tool  5 data (the invocation as JSON)
--       6 reply channel  7 reply TTL in ms  8 fingerprint of the arguments ('' = no idempotency key)
--       9 admitBy: Redis time in ms after which nobody waits for the answer any more
--      10 deadline: ms from now  11 cost in requests
--      12 cap  13 weight  14 version of the limits  15 backlog  16 backlog in bytes
--      17 tenant's requests a minute  18 user's requests a minute
--      19 tenant's requests a minute to this tool ('' = no limit of its own)
--      20 1 if this runs a dead letter again: the reply that it got does not count
-- Returns {outcome, Redis time in ms, detail}:
--   'queued' deadline (epoch ms) · 'attached' deadline of the first call under the same key ·
--   'replied' the reply · 'conflict' · 'late' · 'tenant_rate' | 'user_rate' | 'tool_rate' |
--   'backlog' | 'bytes' wait in ms
local tenant, user, id, tool, data = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local replyTo, replyTtl, fingerprint = ARGV[6], ARGV[7], ARGV[8]
local cost = tonumber(ARGV[11])
local backlog, backlogBytes = tonumber(ARGV[15]), tonumber(ARGV[16])
local queue = queueOf(tenant)
local meta = queue .. 'meta'

local function answer(outcome, detail)
  return { outcome, whole(now), detail }
end

-- Without this line a stalled Redis would enqueue, on waking, what its caller has given up and retried.
if now > tonumber(ARGV[9]) then
  return answer('late')
end

local job = jobOf(tenant, id)
if job.exists then
  if job.fingerprint ~= fingerprint then return answer('conflict') end
  if job.replyTo ~= replyTo then
    redis.call('SADD', WAITERS .. id, replyTo)
  end
  return answer('attached', redis.call('ZSCORE', DEADLINES, member(tenant, id)))
end
local stored = ARGV[20] ~= '1' and redis.call('GET', REPLY .. id)
-- Without an idempotency key the same id comes again only if an answer was lost on the way.
if stored and (fingerprint == '' or string.sub(stored, 1, 1) ~= '-') then
  local _, last, before = string.find(stored, '^%S+ (%S*)\n')
  if before ~= fingerprint then return answer('conflict') end
  return answer('replied', string.sub(stored, last + 1))
end

-- GCRA with the whole minute as burst: at most limit * (1 + w/60 s) in any window of w seconds.
local exact = nowUs / 1000
local function conform(subject, perMinute)
  local arrival = math.max(tonumber(redis.call('GET', RATE .. subject) or 0), exact)
  arrival = arrival + math.min(cost, perMinute) * 60000 / perMinute
  return arrival, math.max(0, arrival - exact - 60000)
end
local rates = {
  { 'tenant_rate', tenant, tonumber(ARGV[17]) },
  { 'user_rate', member(tenant, user), tonumber(ARGV[18]) },
  -- No user's id holds a slash, so that no user has a tool's subject.
  { 'tool_rate', member(tenant, 'tool/' .. tool), tonumber(ARGV[19]) },
}
local arrivals = {}
for _, rate in ipairs(rates) do
  local outcome, subject, perMinute = rate[1], rate[2], rate[3]
  if perMinute then
    local arrival, wait = conform(subject, perMinute)
    if wait > 0 then
      return answer(outcome, whole(math.ceil(wait)))
    end
    arrivals[subject] = arrival
  end
end

local waiting = redis.call('LLEN', queue .. 'wait')
local pace = redis.call('HMGET', meta, 'backlogBytes', 'gapMs')
local drainTenth = whole(math.ceil(tonumber(pace[2] or 1000) * math.max(1, waiting / 10)))
if waiting >= backlog then
  return answer('backlog', drainTenth)
end
if tonumber(pace[1] or 0) + #data > backlogBytes then
  return answer('bytes', drainTenth)
end

-- Spent only now: what is refused costs nothing.
for subject, arrival in pairs(arrivals) do
  redis.call('SET', RATE .. subject, string.format('%.3f', arrival), 'PX', math.max(1, math.ceil(arrival - exact)))
end

applyLimits(tenant, ARGV[12], ARGV[13], ARGV[14])
-- Later writes must carry larger numbers even if Redis is wiped or its clock steps back.
local sequence = math.max(nowUs, tonumber(redis.call('HGET', meta, 'sequence') or 0) + 1)
redis.call('HSET', meta, 'sequence', whole(sequence))
redis.call('HINCRBY', meta, 'backlogBytes', #data)
local deadline = whole(now + tonumber(ARGV[10]))

bullAdd({
  queue .. 'wait', queue .. 'paused', meta, queue .. 'id', queue .. 'completed',
  queue .. 'delayed', queue .. 'active', queue .. 'events', queue .. 'marker',
}, { cmsgpack.pack({ queue, id, tool, now }), data, cmsgpack.pack({ attempts = 1 }) })
redis.call('HSET', queue .. id, 'sequence', whole(sequence), 'deadline', deadline, 'bytes', #data,
  'replyTo', replyTo, 'replyTtl', replyTtl, 'fingerprint', fingerprint)
redis.call('ZADD', DEADLINES, deadline, member(tenant, id))
arm(tenant)
ring()
record('a', tenant, short(id))
if ARGV[20] == '1' then
  redis.call('DEL', REPLY .. id)
  exhume(tenant, id)
end
keep()
return answer('queued', deadline)
