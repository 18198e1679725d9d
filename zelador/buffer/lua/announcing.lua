-- Called before all states are published again. Returns the lowest version that they must have: a restarted Redis may have lost
-- its last second, so versions that were published before may be newer than those that it has.
-- KEYS  1 announce-run   ARGV  1 the run id of Redis, or '' if it is not known
local known = redis.call('HMGET', KEYS[1], 'run', 'version')
local version = tonumber(known[2] or 0)
if known[1] == ARGV[1] and ARGV[1] ~= '' then return version end
local time = redis.call('TIME')
version = math.max(version, time[1] * 1000 + math.floor(time[2] / 1000) + 1) + 1
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'version', string.format('%.0f', version))
return version
