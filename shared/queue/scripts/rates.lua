-- Rates: GCRA with the whole minute as burst, so at most limit * (1 + w/60 s) in any window of w seconds.
-- RATE of a subject holds its theoretical arrival time, in ms. Here it is read and written once.
local exact = nowUs / 1000
local arrivals, spent, due = {}, {}, {}

-- checkRates(cost, rates): of {outcome, subject, requests a minute or nil for no limit} the first that has no
-- room, as {outcome, ms to wait}; nil if all have.
local function checkRates(cost, rates)
  due = {}
  for _, rate in ipairs(rates) do
    local subject, perMinute = rate[2], rate[3]
    if perMinute then
      arrivals[subject] = arrivals[subject] or math.max(tonumber(redis.call('GET', RATE .. subject)) or 0, exact)
      local arrival = arrivals[subject] + math.min(cost, perMinute) * 60000 / perMinute
      if arrival - exact > 60000 then
        return { rate[1], whole(math.ceil(arrival - exact - 60000)) }
      end
      due[subject] = arrival
    end
  end
end

-- spendRates(): spends what was checked last. What is refused for another reason costs nothing.
local function spendRates()
  for subject, arrival in pairs(due) do
    arrivals[subject], spent[subject] = arrival, true
  end
end

local function keepRates()
  for subject in pairs(spent) do
    local arrival = arrivals[subject]
    redis.call('SET', RATE .. subject, string.format('%.3f', arrival), 'PX', math.max(1, math.ceil(arrival - exact)))
  end
end
