-- record(...): notes what happens to a call or a lease; keep() adds the notes of this script to LEASES as
-- one entry, whose id is the time. `mesh verify-caps` replays them, see ../lease-record.ts for what they say.
-- The stream is bounded, so that it costs a full Redis no more than an empty one.
local notes = {}

-- Ten characters tell the calls of one tenant apart, and take a third of the room.
local function short(id)
  return string.sub(id, 3, 12)
end

local function record(...)
  notes[#notes + 1] = table.concat({ ... }, ' ')
end

local function keep()
  if #notes > 0 then
    redis.call('XADD', LEASES, 'MAXLEN', '~', 200000, '*', 'e', table.concat(notes, ';'))
  end
end
