-- release: hands a claimed call back, to be claimed again at once. For a worker that drains.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 id  3 token
-- Returns 1, or 0 if the lease is not ours any more.
local tenant, id = ARGV[1], ARGV[2]
local queue = queueOf(tenant)
local code = bullRelease({
  queue .. 'active', queue .. 'wait', queue .. 'stalled', queue .. 'paused', queue .. 'meta',
  queue .. 'limiter', queue .. 'prioritized', queue .. 'marker', queue .. 'events',
}, { id, ARGV[3], queue .. id })
arm(tenant)
ring()
if code >= 0 then record('b', tenant, short(id)) end
keep()
return code < 0 and 0 or 1
