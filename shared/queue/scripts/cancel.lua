-- cancel: ends a waiting call, or tells the worker that runs it.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 id  3 prefix of the workers' channels
-- Returns 'removed', 'asked' (it runs or had begun; its worker has been told or will find the mark), or 'gone'.
local tenant, id = ARGV[1], ARGV[2]
local job = jobOf(tenant, id)
if not job.exists then
  return 'gone'
end
-- A call that had begun is ended by its next claim, which knows that its outcome is unknown.
local book = open(tenant)
if not job.begun and remove(book, id) then
  conclude(book, id, '-', '{"v":1,"id":"' .. id .. '","status":"cancelled"}\n', job)
  close()
  record('x', tenant, short(id))
  keep()
  return 'removed'
end
redis.call('HSET', queueOf(tenant) .. id, 'cancel', 1)
local worker = redis.call('HGET', queueOf(tenant) .. id, 'pb')
if worker then
  redis.call('PUBLISH', ARGV[3] .. worker, member(tenant, id))
end
return 'asked'
