-- Discards quarantined entries. The ledger's counts do not change: the readings still count as quarantined or set aside.
-- KEYS  1 quarantine  2 ledger      ARGV  the entries' ids
-- Returns the number of discarded entries.
local discarded, quarantine = 0, quarantine_open(KEYS[1], KEYS[2], '', '')
for _, id in ipairs(ARGV) do
  if quarantine_take(quarantine, id) then discarded = discarded + 1 end
end
if discarded > 0 then redis.call('HINCRBY', KEYS[2], 'discarded', discarded) end
return discarded
