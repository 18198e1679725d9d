-- The broker has the states of these devices: they are no longer to be published, unless they have changed since.
-- KEYS  1 announce   ARGV  device, version, device, version …
-- Returns the number of those done.
local done = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then done = done + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return done
