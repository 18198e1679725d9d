-- Renews the lease of the active run, unless another run is active by now.
-- KEYS  1 run-current      ARGV  1 run id  2 lease (s)
-- Returns 1 if this run holds the lease, else 0.
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
