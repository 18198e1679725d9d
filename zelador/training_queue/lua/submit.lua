-- Queues a run, unless another run is active.
-- KEYS  1 run-current  2 run:<id>  3 training-jobs      ARGV  1 run id  2 run as JSON  3 time to live (s)
-- Returns the id of the active run, or nothing if this one was queued.
local current = redis.call('GET', KEYS[1])
if current then return current end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', 1000, '*', 'run', ARGV[1])
return false
