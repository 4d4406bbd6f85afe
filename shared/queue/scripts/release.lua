-- release: hands a claimed call back, to be claimed again at once. For a worker that drains, or
-- that cannot read the message.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 id  3 token  4 1 if it could not be read: this was no attempt, and those behind it go first
-- Returns 1, or 0 if the lease is not ours any more.
local tenant, id = ARGV[1], ARGV[2]
local book = open(tenant)
local queue = book.queue
local code = bullRelease({
  queue .. 'active', queue .. 'wait', queue .. 'stalled', queue .. 'paused', queue .. 'meta',
  queue .. 'limiter', queue .. 'prioritized', queue .. 'marker', queue .. 'events',
}, { id, ARGV[3], queue .. id })
if code >= 0 and ARGV[4] == '1' then
  redis.call('HINCRBY', queue .. id, 'ats', -1)
  if redis.call('LREM', queue .. 'wait', -1, id) == 1 then redis.call('LPUSH', queue .. 'wait', id) end
end
recount(book)
close()
if code >= 0 then record('b', tenant, short(id)) end
keep()
return code < 0 and 0 or 1
