-- conclude(tenant, id, by, reply, job): the bookkeeping of a call that has just left its queue:
-- store the reply, tell everyone who waits, give back its share of the backlog.
-- `by` is the token that settled it, or '~' if it had begun and nobody settled it. With a '-' in front,
-- or alone if nobody ran it, a retry under the same idempotency key runs again.
-- `job` is what jobOf() read before the job went away.
local function jobOf(tenant, id)
  local fields = redis.call('HMGET', queueOf(tenant) .. id, 'replyTo', 'replyTtl', 'bytes', 'fingerprint', 'begun')
  return {
    exists = fields[1] and true or false, replyTo = fields[1], replyTtl = fields[2],
    bytes = tonumber(fields[3] or 0), fingerprint = fields[4] or '', begun = fields[5],
  }
end

local function conclude(tenant, id, by, reply, job)
  local meta = queueOf(tenant) .. 'meta'
  redis.call('SET', REPLY .. id, by .. ' ' .. job.fingerprint .. '\n' .. reply, 'PX', job.replyTtl or 60000)
  if job.replyTo then
    redis.call('PUBLISH', job.replyTo, reply)
  end
  for _, channel in ipairs(redis.call('SMEMBERS', WAITERS .. id)) do
    redis.call('PUBLISH', channel, reply)
  end
  redis.call('DEL', WAITERS .. id)
  redis.call('ZREM', DEADLINES, member(tenant, id))
  redis.call('HINCRBY', meta, 'backlogBytes', -job.bytes)

  -- Mean time between settlements while there is work, for the waiting time of a full backlog.
  -- arm() forgets `settledAt` when the work ends.
  local pace = redis.call('HMGET', meta, 'settledAt', 'gapMs')
  redis.call('HSET', meta, 'settledAt', whole(now))
  if pace[1] then
    local gap = math.min(now - tonumber(pace[1]), 10000)
    redis.call('HSET', meta, 'gapMs', 0.8 * tonumber(pace[2] or gap) + 0.2 * gap)
  end
end
