-- Undoes a label by adding an entry that says so. KEYS  1 labels  2 labels-index   ARGV  1 id  2 the entry's JSON
-- Returns undone, already (nothing was changed) or absent, and whether it is written (written.lua).
local known = redis.call('HGET', KEYS[2], 'id:' .. ARGV[1])
if not known then return {'absent', ''} end
if string.sub(known, -2) == ' -' then return {'already', written()} end
redis.call('HSET', KEYS[2], 'id:' .. ARGV[1], known .. ' -')
redis.call('XADD', KEYS[1], '*', 'undone', ARGV[2])
return {'undone', written()}
