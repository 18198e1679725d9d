-- Puts a reading that was set aside back among those that wait, in one atomic step.
-- KEYS  1 readings  2 quarantine  3 ledger      ARGV  1 the quarantined entry's id
-- Returns 1, 0 where the entry is gone or is not a reading that was set aside; and whether it is written (written.lua).
local found = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not found then return {0, ''} end
local fields = {}
for i = 1, #found[2], 2 do fields[found[2][i]] = found[2][i + 1] end
if fields['kind'] ~= 'set_aside' or (fields['features'] or '') == '' then return {0, ''} end
quarantine_take(KEYS[2], KEYS[3], ARGV[1])
redis.call('XADD', KEYS[1], '*', fields['features'], '[' .. fields['payload'] .. ']')
redis.call('HINCRBY', KEYS[3], 'set_aside', -1)
return {1, written()}
