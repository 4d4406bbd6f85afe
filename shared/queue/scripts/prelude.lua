-- Common to every script. KEYS[1] is the shard's index prefix, e.g. '{mesh:0}:'; every other key
-- starts with it, so that all of them live on one node. compose.ts puts the names of
-- ../names.ts in front of this file: READY, BUSY, DEADLINES, TAG, BELL, HOLD, RUN (suffixes
-- already appended to KEYS[1]) and REPLY, WAITERS, RATE (prefixes of a subject), QUEUES.

local time = redis.call('TIME')
local nowUs = time[1] * 1000000 + time[2]
local now = math.floor(nowUs / 1000)

-- A tenant with outstanding work is looked at again after this long, whatever happens. Atomic
-- scripts leave nothing to repair; stock BullMQ tools and operators with redis-cli do.
local REPAIR_MS = 5000

local function queueOf(tenant)
  return QUEUES .. tenant .. ':'
end

local function member(tenant, id)
  return tenant .. '/' .. id
end

-- Lua prints 1.7e15 with 14 digits unless told otherwise.
local function whole(number)
  return string.format('%.0f', number)
end
