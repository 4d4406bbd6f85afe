-- Dead letters of a tenant: calls that failed for reasons which are not their caller's.
-- DEAD is a hash by call, whose field '' counts its bytes; DEADAT orders the calls by time.
-- One letter is: a line of JSON that says what happened (../../dead-letters/dead-letter.ts),
-- a line `<attempts> <reply TTL> <fingerprint>`, and the call's own message, for a replay.
-- UNSENT names those that have no copy in SQS yet (../../dead-letters/mirror.ts).
local MOST_LETTERS = 1000
local MOST_LETTER_BYTES = 33554432
local KEEP_LETTERS_MS = 14 * 86400000

-- exhume(tenant, id): takes a letter away. Returns true if it was there.
local function exhume(tenant, id)
  local letter = redis.call('HGET', DEAD .. tenant, id)
  if not letter then return false end
  redis.call('HDEL', DEAD .. tenant, id)
  redis.call('HINCRBY', DEAD .. tenant, '', -#letter)
  redis.call('ZREM', DEADAT .. tenant, id)
  redis.call('ZREM', UNSENT, member(tenant, id))
  if redis.call('EXISTS', DEADAT .. tenant) == 0 then
    redis.call('DEL', DEAD .. tenant)
  end
  return true
end

-- grave(tenant, id): what bury() needs of a job, read before the job goes away.
local function grave(tenant, id)
  local fields = redis.call('HMGET', queueOf(tenant) .. id, 'ats', 'replyTtl', 'fingerprint', 'data')
  return (fields[1] or '0') .. ' ' .. (fields[2] or '0') .. ' ' .. (fields[3] or '') .. '\n' .. (fields[4] or '')
end

-- bury(tenant, id, what, rest): keeps a letter, and drops the oldest beyond the bounds.
local function bury(tenant, id, what, rest)
  exhume(tenant, id)
  local letter = what .. '\n' .. rest
  redis.call('HSET', DEAD .. tenant, id, letter)
  redis.call('ZADD', DEADAT .. tenant, now, id)
  redis.call('ZADD', UNSENT, now, member(tenant, id))
  redis.call('ZREMRANGEBYSCORE', UNSENT, '-inf', now - KEEP_LETTERS_MS)
  local bytes = redis.call('HINCRBY', DEAD .. tenant, '', #letter)
  while true do
    local oldest = redis.call('ZRANGE', DEADAT .. tenant, 0, 0, 'WITHSCORES')
    if not oldest[1] then break end
    local isPast = tonumber(oldest[2]) < now - KEEP_LETTERS_MS
    if not isPast and bytes <= MOST_LETTER_BYTES and redis.call('ZCARD', DEADAT .. tenant) <= MOST_LETTERS then
      break
    end
    exhume(tenant, oldest[1])
    bytes = tonumber(redis.call('HGET', DEAD .. tenant, '') or 0)
  end
  redis.call('PEXPIRE', DEAD .. tenant, KEEP_LETTERS_MS)
  redis.call('PEXPIRE', DEADAT .. tenant, KEEP_LETTERS_MS)
  redis.call('PEXPIRE', UNSENT, KEEP_LETTERS_MS)
end
