-- admit: accepts calls onto their tenants' queues, or says why not. Idempotent by id.
-- KEYS  1 index prefix
-- ARGV  for each call:
--       1 tenant
--       2 its limits: 'cap weight version backlog backlogBytes tenantPerMinute userPerMinute'
--       3 user  4 id  5 tool  6 data (the invocation as JSON)  7 reply channel
--       8 fingerprint of the arguments ('' = no idempotency key)
--       9 its terms: 'admitBy deadline cost replyTtl replays toolPerMinute', that is: Redis time in ms after
--         which nobody waits for the answer any more · ms from now · in requests · ms ·
--         1 if this runs a dead letter again: the reply that it got does not count ·
--         the tenant's requests a minute to this tool (absent = no limit of its own)
-- Returns {Redis time in ms, and for each call {outcome, detail}}:
--   'queued' deadline (epoch ms) · 'attached' deadline of the first call under the same key ·
--   'replied' the reply · 'conflict' · 'late' · 'tenant_rate' | 'user_rate' | 'tool_rate' |
--   'backlog' | 'bytes' wait in ms · 'error' text
local WIDTH = 9

local function limitsOf(text)
  local cap, weight, version, backlog, bytes, perMinute, userPerMinute =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {
    cap = cap, weight = weight, version = version, backlog = tonumber(backlog), bytes = tonumber(bytes),
    perMinute = tonumber(perMinute), userPerMinute = tonumber(userPerMinute),
  }
end

-- Of this tenant and id: a call that has not ended, or the reply of one that has. Nil if there is neither.
local function findEarlier(tenant, id, fingerprint, replyTo, replays)
  local job = jobOf(tenant, id)
  if job.exists then
    if job.fingerprint ~= fingerprint then return { 'conflict' } end
    if job.replyTo ~= replyTo then
      redis.call('SADD', WAITERS .. id, replyTo)
      redis.call('HSET', queueOf(tenant) .. id, 'waiters', 1)
    end
    return { 'attached', redis.call('ZSCORE', DEADLINES, member(tenant, id)) }
  end
  local stored = not replays and redis.call('GET', REPLY .. id)
  -- Without an idempotency key the same id comes again only if an answer was lost on the way.
  if stored and (fingerprint == '' or string.sub(stored, 1, 1) ~= '-') then
    local _, last, before = string.find(stored, '^%S+ (%S*)\n')
    if before ~= fingerprint then return { 'conflict' } end
    return { 'replied', string.sub(stored, last + 1) }
  end
end

local function admit(tenant, limitsText, user, id, tool, data, replyTo, fingerprint, terms)
  local admitBy, deadlineMs, cost, replyTtl, replays, toolPerMinute =
    string.match(terms, '^(%S+) (%S+) (%S+) (%S+) (%S+) ?(%S*)$')
  replays = replays == '1'
  -- Without this line a stalled Redis would enqueue, on waking, what its caller has given up and retried.
  if now > tonumber(admitBy) then return { 'late' } end
  local earlier = findEarlier(tenant, id, fingerprint, replyTo, replays)
  if earlier then return earlier end

  local limits = limitsOf(limitsText)
  local refusal = checkRates(tonumber(cost), {
    { 'tenant_rate', tenant, limits.perMinute },
    { 'user_rate', member(tenant, user), limits.userPerMinute },
    -- No user's id holds a slash, so that no user has a tool's subject.
    { 'tool_rate', member(tenant, 'tool/' .. tool), tonumber(toolPerMinute) },
  })
  if refusal then return refusal end
  local book = open(tenant)
  local function drainTenth()
    return whole(math.ceil((book.gapMs or 1000) * math.max(1, book.waiting / 10)))
  end
  if book.waiting >= limits.backlog then return { 'backlog', drainTenth() } end
  if book.bytes + #data > limits.bytes then return { 'bytes', drainTenth() } end

  spendRates()
  applyLimits(book, limits.cap, limits.weight, limits.version)
  -- Later writes must carry larger numbers even if Redis is wiped or its clock steps back.
  book.sequence = math.max(nowUs, book.sequence + 1)
  book.bytes = book.bytes + #data
  book.changes.sequence, book.changes.backlogBytes = whole(book.sequence), whole(book.bytes)
  local deadline = whole(now + tonumber(deadlineMs))
  add(book, id, tool, data, { 'sequence', whole(book.sequence), 'deadline', deadline, 'bytes', #data,
    'replyTo', replyTo, 'replyTtl', replyTtl, 'fingerprint', fingerprint })
  redis.call('ZADD', DEADLINES, deadline, member(tenant, id))
  record('a', tenant, short(id))
  if replays then
    redis.call('DEL', REPLY .. id)
    exhume(tenant, id)
  end
  return { 'queued', deadline }
end

local answer = { now }
for i = 1, #ARGV, WIDTH do
  -- One call whose keys hold something unexpected does not cost the others their admission.
  local ok, outcome = pcall(admit, unpack(ARGV, i, i + WIDTH - 1))
  answer[#answer + 1] = ok and outcome
    or { 'error', tostring(type(outcome) == 'table' and outcome.err or outcome) }
end
keepRates()
close()
keep()
return answer
