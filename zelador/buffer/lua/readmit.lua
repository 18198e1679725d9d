-- Puts a reading that was set aside back into the stream, in one atomic step.
-- KEYS  1 readings  2 quarantine  3 ledger  4 requests      ARGV  1 the quarantined entry's id
-- Returns 1, or 0 if the entry does not exist or is not a reading that was set aside; and whether it is written (written.lua).
local quarantine = quarantine_open(KEYS[2], KEYS[3], '', '')
local found = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not found then return {0, ''} end
local fields = {}
for i = 1, #found[2], 2 do fields[found[2][i]] = found[2][i + 1] end
if fields['kind'] ~= 'set_aside' or (fields['features'] or '') == '' then return {0, ''} end
quarantine_take(quarantine, ARGV[1])
local json = '[' .. fields['payload'] .. ']'
waiting_add(KEYS[1], KEYS[4], fields['features'], json, 1, {}, fields['entry'] or '')
redis.call('HINCRBY', KEYS[3], 'appended_bytes', #json)
redis.call('HINCRBY', KEYS[3], 'waiting_bytes', #json)
redis.call('HINCRBY', KEYS[3], 'set_aside', -1)
return {1, written()}
