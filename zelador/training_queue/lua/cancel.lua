-- Records who wants a run to end. Ends it here if it is queued and its record has not changed since it was read;
-- otherwise its trainer reads the request and ends it.
-- KEYS  1 run:<id>  2 run-current  3 run-cancel:<id>
-- ARGV  1 run id  2 run as it was read  3 run as cancelled, or '' if it is running  4 time to live (s)  5 by
-- Returns 1 if the run was ended here, else 0.
redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[4])
if ARGV[3] == '' or redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
