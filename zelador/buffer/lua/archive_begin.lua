-- Registers the archive: makes its group, which begins with the oldest entry of the stream.
-- KEYS  1 readings  2 ledger      ARGV  1 archive_hold (archive.lua)
-- Returns the last archived entry, and 1 if the group is new.
redis.call('HSET', KEYS[2], 'archive_hold', ARGV[1])
local at = archive_at(KEYS[1])
if at then return {at, 0} end
redis.call('XGROUP', 'CREATE', KEYS[1], ARCHIVE, '0-0', 'MKSTREAM')
local n = archive_count(KEYS[1], '0-0', '+')
redis.call('HSET', KEYS[2], 'archived', 0, 'archive_missed', 0,
  'archive_base', string.format('%.0f', tonumber(redis.call('HGET', KEYS[2], 'accepted') or 0) - n))
redis.call('HDEL', KEYS[2], 'archive_at', 'archive_cut')
return {'0-0', 1}
