-- renew: extends leases. Grows nothing that is not bounded, so that it works when Redis is full.
-- KEYS  1 index prefix
-- ARGV  1 lease in ms, then for each lease: tenant, id, token
-- Returns for each lease, in order: 'held', 'lost' or 'cancelled' (held, and its caller has cancelled).
local answers, held = {}, {}
for i = 2, #ARGV, 3 do
  local queue, id = queueOf(ARGV[i]), ARGV[i + 1]
  local job = queue .. id
  if redis.call('GET', job .. ':lock') ~= ARGV[i + 2] then
    answers[#answers + 1] = 'lost'
  else
    redis.call('PEXPIRE', job .. ':lock', ARGV[1])
    redis.call('SREM', queue .. 'stalled', id)
    held[#held + 1] = ARGV[i] .. ' ' .. short(id)
    answers[#answers + 1] = redis.call('HEXISTS', job, 'cancel') == 1 and 'cancelled' or 'held'
  end
end
if #held > 0 then
  record('r', ARGV[1], table.concat(held, ' '))
  keep()
end
return answers
