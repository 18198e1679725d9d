-- Enforces the quarantine's limits while nothing is added to it: entries still expire.
-- KEYS  1 quarantine  2 ledger      ARGV  1 keep_quarantine  2 keep_quarantine_bytes  3 keep_quarantine_s
-- Returns the number of discarded entries, and how full the quarantine is (percent).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local quarantine = quarantine_open(KEYS[1], KEYS[2], '', '')
local discarded, full = quarantine_bound(quarantine, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) * 1000, now)
return {discarded, full}
