-- remove(book, id): takes a waiting call out of its queue. Returns true if it was waiting.
local function remove(book, id)
  -- From the tail, where the oldest are: what expires or is cancelled has mostly waited long.
  if redis.call('LREM', book.queue .. 'wait', -1, id) == 0 then
    return false
  end
  redis.call('DEL', book.queue .. id, book.queue .. id .. ':logs')
  book.waiting = book.waiting - 1
  return true
end
