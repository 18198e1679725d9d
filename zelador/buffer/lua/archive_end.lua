-- Unregisters the archive.
-- KEYS  1 readings  2 ledger  3 outcomes
-- Returns 1 if it was registered, else 0; the readings that it had not taken, those that it missed, and those that it has.
local at = archive_at(KEYS[1])
local counts = redis.call('HMGET', KEYS[2], 'archive_missed', 'archived')
local n = at and archive_count(KEYS[1], at, '+') or 0
if at then redis.call('XGROUP', 'DESTROY', KEYS[1], ARCHIVE) end
redis.call('UNLINK', KEYS[3])
redis.call('HDEL', KEYS[2], 'archive_hold', 'archive_base', 'archived', 'archive_missed', 'archive_at', 'archive_cut',
  'outcomes_bytes', 'outcomes_missed')
return {at and 1 or 0, n, tonumber(counts[1] or 0), tonumber(counts[2] or 0)}
