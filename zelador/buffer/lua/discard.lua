-- Discards quarantined entries. No count of the ledger changes: they were received, and stay quarantined or set aside.
-- KEYS  1 quarantine  2 ledger      ARGV  the entries' ids
-- Returns how many there were.
local discarded, quarantine = 0, quarantine_open(KEYS[1], KEYS[2], '', '')
for _, id in ipairs(ARGV) do
  if quarantine_take(quarantine, id) then discarded = discarded + 1 end
end
if discarded > 0 then redis.call('HINCRBY', KEYS[2], 'discarded', discarded) end
return discarded
