-- take(n, token, leaseMs, worker): starts up to n calls, fairly (start-time fair queueing): the tenant
-- with the least virtual time goes first, and each start moves it on by 1/weight.
-- Returns a list of {tenant, id, token of this attempt, fields of the job}, the fields being data, replyTo,
-- sequence, ats, begun, cancel and deadline.
-- Takes nothing during a hold, and nothing from a tenant without a cap.

-- leads(book): whether the tenant, which is not in READY, would be popped next if it were.
local function leads(book)
  local first = redis.call('ZRANGE', READY, 0, 0, 'WITHSCORES')
  local score = tonumber(first[2])
  return not score or book.finish < score or (book.finish == score and book.tenant < first[1])
end

local function take(n, token, leaseMs, worker)
  local taken = {}
  if n < 1 or redis.call('EXISTS', HOLD) == 1 then return taken end
  local book, virtual
  -- The bound keeps one script short even if READY names many tenants with nothing to start.
  for _ = 1, n + 64 do
    if #taken == n then break end
    if not book then
      local popped = redis.call('ZPOPMIN', READY)
      if not popped[1] then break end
      book, virtual = open(popped[1]), tonumber(popped[2])
      book.isReady = false
    end
    local attempt = token .. '.' .. (#taken + 1)
    local id, fields = start(book, attempt, leaseMs, worker)
    if id then
      taken[#taken + 1] = { book.tenant, id, attempt, fields }
      record('g', book.tenant, short(id), whole(leaseMs))
      clock, book.finish, book.isLeased = virtual, virtual + 1 / book.weight, true
    else
      -- BullMQ had a reason of its own, such as a rate limit set by its tools. The next sweep looks
      -- again; armed as it is, the tenant would be popped without end.
      book.isStuck = true
    end
    if #taken < n and startable(book) and leads(book) then
      virtual = book.finish
    else
      arm(book)
      book = nil
    end
  end
  local tags = { '', clock }
  for _, each in ipairs(opened) do
    if each.isLeased then
      tags[#tags + 1] = each.tenant
      tags[#tags + 1] = each.finish
      -- A sweep looks no later than the lease may end.
      if leaseMs < REPAIR_MS then redis.call('ZADD', BUSY, 'LT', now + leaseMs, each.tenant) end
    end
  end
  if #taken > 0 then redis.call('HSET', TAG, unpack(tags)) end
  return taken
end
