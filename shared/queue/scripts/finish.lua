-- finish(book, id, token, job): removes a job that its holder has ended, as BullMQ's moveToFinished does
-- for one that is not kept. Returns false if the lease is not the holder's. A job with parents or children,
-- which none of ours has, is BullMQ's own to end.
local function finish(book, id, token, job)
  local queue = book.queue
  local key = queue .. id
  if not job.isRunning or job.isRelated or redis.call('EXISTS', key .. ':dependencies', key .. ':unsuccessful') > 0 then
    local code = bullFinish({
      queue .. 'wait', queue .. 'active', queue .. 'prioritized', queue .. 'events', queue .. 'stalled',
      queue .. 'limiter', queue .. 'delayed', queue .. 'paused', queue .. 'meta', queue .. 'pc',
      queue .. 'completed', key, queue .. 'metrics', queue .. 'marker',
    }, { id, whole(now), 'returnvalue', '1', 'completed', '0', queue,
      cmsgpack.pack({ token = token, keepJobs = { count = 0 }, attempts = 1, maxMetricsSize = '', lockDuration = 1 }) })
    recount(book)
    return not (type(code) == 'number' and code < 0)
  end
  if redis.call('GET', key .. ':lock') ~= token then return false end
  redis.call('SREM', queue .. 'stalled', id)
  if redis.call('LREM', queue .. 'active', -1, id) == 0 then
    redis.call('DEL', key .. ':lock')
    return false
  end
  redis.call('DEL', key, key .. ':lock', key .. ':logs', key .. ':processed', key .. ':failed')
  book.active = book.active - 1
  return true
end
