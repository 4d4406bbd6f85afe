-- conclude(book, id, by, reply, job): the bookkeeping of a call that has just left its queue:
-- store the reply, tell everyone who waits, give back its share of the backlog.
-- `by` is the token that settled it, or '~' if it had begun and nobody settled it. With a '-' in front,
-- or alone if nobody ran it, a retry under the same idempotency key runs again.
-- `job` is what jobOf() read before the job went away.
local function jobOf(tenant, id)
  local fields = redis.call('HMGET', queueOf(tenant) .. id, 'replyTo', 'replyTtl', 'bytes', 'fingerprint', 'begun',
    'waiters', 'processedOn', 'parentKey', 'parent', 'deid')
  return {
    exists = fields[1] and true or false, replyTo = fields[1], replyTtl = fields[2],
    bytes = tonumber(fields[3]) or 0, fingerprint = fields[4] or '', begun = fields[5], waiters = fields[6],
    isRunning = fields[7], isRelated = fields[8] or fields[9] or fields[10],
  }
end

local function conclude(book, id, by, reply, job)
  redis.call('SET', REPLY .. id, by .. ' ' .. job.fingerprint .. '\n' .. reply, 'PX', job.replyTtl or 60000)
  if job.replyTo then
    redis.call('PUBLISH', job.replyTo, reply)
  end
  if job.waiters then
    for _, channel in ipairs(redis.call('SMEMBERS', WAITERS .. id)) do
      redis.call('PUBLISH', channel, reply)
    end
    redis.call('DEL', WAITERS .. id)
  end
  redis.call('ZREM', DEADLINES, member(book.tenant, id))
  book.bytes = book.bytes - job.bytes
  book.changes.backlogBytes = whole(book.bytes)

  -- Mean time between settlements while there is work, for the waiting time of a full backlog.
  -- rest() forgets `settledAt` when the work ends.
  if book.settledAt then
    local gap = math.min(now - book.settledAt, 10000)
    book.gapMs = 0.8 * (book.gapMs or gap) + 0.2 * gap
    book.changes.gapMs = string.format('%.2f', book.gapMs)
  end
  book.settledAt = now
  book.changes.settledAt = now
end
