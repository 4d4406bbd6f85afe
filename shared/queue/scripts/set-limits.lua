-- set-limits: changes a tenant's cap and weight for every start from now on, and starts what a
-- raised cap lets start. Running calls above a lowered cap run out.
-- KEYS  1 index prefix
-- ARGV  1 tenant  2 cap  3 weight  4 version of the limits
-- Returns 1 if they were written, 0 if newer ones were there.
local written = applyLimits(open(ARGV[1]), ARGV[2], ARGV[3], ARGV[4])
close()
keep()
return written and 1 or 0
