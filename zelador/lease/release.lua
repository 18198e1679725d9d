-- Releases a lease, if this holder has it.
-- KEYS  1 the lease      ARGV  1 holder
-- Returns 1 if it was released, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
