-- discard: throws dead letters away.
-- KEYS  1 index prefix
-- ARGV  1 tenant, then the ids
-- Returns how many there were.
local gone = 0
for i = 2, #ARGV do
  if exhume(ARGV[1], ARGV[i]) then gone = gone + 1 end
end
return gone
