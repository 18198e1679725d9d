-- Ends a run: its record, the lease and the job change together, so that a trainer that dies here leaves either
-- a run that has ended or one that is still running.
-- KEYS  1 run-current  2 run:<id>  3 training-jobs
-- ARGV  1 run id  2 run as JSON  3 time to live (s)  4 consumer group  5 entry
-- Returns how many jobs were acknowledged.
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return redis.call('XACK', KEYS[3], ARGV[4], ARGV[5])
