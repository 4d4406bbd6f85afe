-- applyLimits(book, cap, weight, version): writes a tenant's limits unless newer ones are there.
-- Without a cap BullMQ would start everything, and without maxLenEvents keep 10,000 events.
-- `limitsVersion`, because every stock BullMQ `Queue` writes its own `version` into the same hash.
-- Returns true if they were written.
local function applyLimits(book, cap, weight, version)
  if book.version >= tonumber(version) then return false end
  record('c', book.tenant, book.cap or '-', cap, weight)
  redis.call('HSET', book.queue .. 'meta', 'concurrency', cap, 'weight', weight, 'limitsVersion', version,
    'opts.maxLenEvents', 0)
  book.cap, book.weight, book.version = tonumber(cap), tonumber(weight), tonumber(version)
  return true
end
