-- Removes devices from the outbox, once the broker has their states. A device whose state changed since then stays.
-- KEYS  1 announce   ARGV  device, version, device, version …
-- Returns the number of removed devices.
local done = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then done = done + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return done
