-- Marks entries as archived after their commit to the archive's log, and removes the outcomes in the same commit.
-- KEYS  1 readings  2 ledger  3 outcomes  4 archive-seen
-- ARGV  1 the last archived entry when these were read  2 the last of these  3 how many of their readings are archived  4 how many
--       cannot be read  5 '', or the last of these entries that was trimmed meanwhile and counted as missed  6 the readings
--       counted so  7 for archive-seen, or ''  8 outcomes, as a flat MessagePack array: id, bytes, id, bytes …
-- Returns the last archived entry, and 1: done, now or by an earlier call whose reply was lost; 2: some of these were trimmed
-- up to there, call again; 0: the archive is somewhere else, read again from there; -1: it is not registered.
local at = archive_at(KEYS[1])
if not at then return {'', -1} end
local last = ARGV[2]
if at ~= ARGV[1] then
  local state = redis.call('HMGET', KEYS[2], 'archive_at', 'archive_cut')
  if at == last and state[1] == last then return {at, 1} end
  if state[2] ~= ARGV[1] .. ' ' .. at then return {at, 0} end
  if ARGV[5] ~= at then return {at, 2} end
  if archive_has(at, last) then last = at end
end
redis.call('HINCRBY', KEYS[2], 'archived', ARGV[3])
redis.call('HINCRBY', KEYS[2], 'archive_missed', string.format('%d', tonumber(ARGV[4]) - tonumber(ARGV[6])))
redis.call('HSET', KEYS[2], 'archive_at', last)
redis.call('HDEL', KEYS[2], 'archive_cut')
redis.call('XGROUP', 'SETID', KEYS[1], ARCHIVE, last)
if ARGV[7] ~= '' then redis.call('SET', KEYS[4], ARGV[7]) end
local outcomes, freed = cmsgpack.unpack(ARGV[8]), 0
for i = 1, #outcomes, 2 do
  if redis.call('XDEL', KEYS[3], outcomes[i]) == 1 then freed = freed + outcomes[i + 1] end
end
if freed > 0 then redis.call('HINCRBY', KEYS[2], 'outcomes_bytes', string.format('%d', -freed)) end
return {last, 1}
