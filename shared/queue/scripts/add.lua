-- add(book, id, tool, data, facts): what BullMQ's addStandardJob leaves of a plain job, without what serves its
-- events, parents, deduplication and blocking workers. `facts` are fields of our own, as a flat list.
local function add(book, id, tool, data, facts)
  redis.call('HSET', book.queue .. id, 'name', tool, 'data', data, 'opts', '{"attempts":1}',
    'timestamp', now, 'delay', 0, 'priority', 0, unpack(facts))
  redis.call('LPUSH', book.queue .. 'wait', id)
  book.waiting = book.waiting + 1
end
