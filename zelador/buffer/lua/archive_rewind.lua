-- Moves the archive back, to an entry that it has: its log lost what came after it.
-- KEYS  1 readings  2 ledger  3 archive-seen
-- ARGV  1 the last archived entry  2 the entry to go back to  3 archived readings that are lost  4 for archive-seen
-- Returns 1, and how many of the lost readings are still in the stream; 0 if the archive is somewhere else.
if archive_at(KEYS[1]) ~= ARGV[1] then return {0, 0} end
local n = archive_count(KEYS[1], ARGV[2], '+') - archive_count(KEYS[1], ARGV[1], '+')
local lost = math.max(n, tonumber(ARGV[3]))
redis.call('XGROUP', 'SETID', KEYS[1], ARCHIVE, ARGV[2])
redis.call('HINCRBY', KEYS[2], 'archived', string.format('%d', -lost))
redis.call('HINCRBY', KEYS[2], 'archive_missed', string.format('%d', lost - n))
redis.call('HDEL', KEYS[2], 'archive_at', 'archive_cut')
redis.call('SET', KEYS[3], ARGV[4])                  -- so that the same loss is not counted again
return {1, n}
