-- All states are going to be published again. Returns the least version that they must have then: what was published before may be newer than what
-- Redis has, if it was started again and has lost its last second.
-- KEYS  1 announce-run   ARGV  1 the run of Redis, or '' if that is not known
local known = redis.call('HMGET', KEYS[1], 'run', 'version')
local version = tonumber(known[2] or 0)
if known[1] == ARGV[1] and ARGV[1] ~= '' then return version end
local time = redis.call('TIME')
version = math.max(version, time[1] * 1000 + math.floor(time[2] / 1000) + 1) + 1
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'version', string.format('%.0f', version))
return version
