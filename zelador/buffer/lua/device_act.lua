-- Changes a device's state as a person asks. KEYS  1 states  2 announce  3 events  4 due  5 devices
-- ARGV  1 device  2 acknowledge, unacknowledge, shelve, unshelve, retire or restore  3 by  5 why (of shelve, or '')
--       4 until (ms, of shelve), or when the alarm was acknowledged (ms, of unacknowledge)
-- Returns {'', before, after}, or {'same', before, after} if it was so already, or {why not}: absent, not in alarm, not acknowledged, not shelved, retired, not retired.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local a = alarms_open(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local device, act, by, till, why = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local r, facts = alarms_read(redis.call('HGET', a.states, device))
if not r or device == '' then return {'absent'} end
if r['until'] and r['until'] <= now then r['until'], r.why, r.sby = nil, nil, nil end
local before, same = alarms_shown(r, now), false
if r.retired and act ~= 'restore' then return {'retired'} end
if act == 'acknowledge' then
  if r.c ~= 'alarm' then return {'not in alarm'} end
  same = r.by ~= nil                                  -- a second one changes nothing: the first person has it
  if not same then r.by, r.at = by, now end
elseif act == 'unacknowledge' then
  if not r.by or r.at ~= till then return {'not acknowledged'} end  -- the alarm has ended, or another one was acknowledged
  r.by, r.at = nil, nil
elseif act == 'shelve' then
  same = till <= now or r['until'] == till and (r.why or '') == why
  if not same then
    r['until'], r.why, r.sby = till, why ~= '' and why or nil, by
    redis.call('ZADD', a.due, 'LT', string.format('%.0f', till), device)
  end
elseif act == 'unshelve' then
  if not r['until'] then return {'not shelved'} end
  r['until'], r.why, r.sby = nil, nil, nil
elseif act == 'retire' then
  r.retired, r.rby = now, by
  redis.call('ZREM', a.due, device)
elseif act == 'restore' then
  if not r.retired then return {'not retired'} end
  r.retired, r.rby = nil, nil
  redis.call('ZADD', a.due, now + 1, device)
end
alarms_show(a, device, r, facts, now, by, why ~= '' and why or nil)
alarms_flush(a)
redis.call('HSET', a.states, device, alarms_text(r, now))
return {same and 'same' or '', before, alarms_shown(r, now)}
