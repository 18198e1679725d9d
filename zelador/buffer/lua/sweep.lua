-- Finds devices that have fallen silent, or whose shelving has ended, among a limited number of those that are due.
-- A device is silent when it was not heard for 5 times the 99th percentile of its own gaps (at least LEAST_SILENCE), or for
-- silent_ms if that is set. If no device at all is heard, that is one event and not one for each device.
-- KEYS  1 states  2 announce  3 events  4 due  5 devices  6 quarantine (its shares are beside it)   ARGV  1 limit  2 silent_ms, or ''
--       3 the beginning of the keys of device hashes
-- Returns the number of devices looked at, the number found silent, and since when the fleet is silent ('' if it is not).
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local a = alarms_open(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local limit, silent_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local LEAST_FLEET = 3
local newest = redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2]
newest = newest and tonumber(newest) or 0
local fleet = redis.call('HGET', a.states, '')        -- no device has an empty name
local many = redis.call('ZCARD', KEYS[5]) >= LEAST_FLEET
if fleet and newest > tonumber(fleet) then            -- some device is heard again: those that stay silent are silent by themselves
  redis.call('HDEL', a.states, '')
  redis.call('XADD', a.events, 'MAXLEN', '~', MOST_EVENTS, '*', 'device', '', 'from', 'unknown', 'to', 'ok',
    'at', string.format('%.0f', now), 'why', 'fleet')
  fleet = nil
end
local looked, found, well = 0, 0, {}
local names = redis.call('ZRANGEBYSCORE', a.due, '-inf', string.format('%.0f', now), 'LIMIT', 0, limit)
local texts, times = {}, {}
if #names > 0 then texts, times = redis.call('HMGET', a.states, unpack(names)), redis.call('ZMSCORE', KEYS[5], unpack(names)) end
for i, device in ipairs(names) do
  looked = looked + 1
  local text, heard = texts[i], times[i]
  local soonest = heard and heard + (silent_ms or LEAST_SILENCE)
  if text and heard and soonest > now and string.byte(text) < 128 then   -- nearly always: OK, and heard a short time ago
    well[#well + 1], well[#well + 2] = string.format('%.0f', soonest), device
  elseif not text or not heard then                   -- forgotten: nothing of it is retained
    redis.call('ZREM', a.due, device)
    if text then
      redis.call('HDEL', a.states, device)
      redis.call('ZREM', a.states .. '-' .. alarms_read(text).s, device)
      redis.call('HSET', a.announce, device, 'gone')
    end
  else
    local r = alarms_read(text)
    heard = tonumber(heard)
    local bound = silent_ms or alarms_silence(ARGV[3] .. device)
    local at = heard + bound
    if r['until'] and r['until'] <= now then r['until'], r.why, r.sby = nil, nil, nil end
    local again = false
    local ours = r.silent and r.reason ~= 'fleet'
    if at <= now and not ours and not r.retired then
      found = found + 1
      local alone = not (many and now - newest >= bound / 2)
      if not alone and not fleet then
        fleet = string.format('%.0f', newest)
        redis.call('HSET', a.states, '', fleet)
        redis.call('XADD', a.events, 'MAXLEN', '~', MOST_EVENTS, '*', 'device', '', 'from', 'ok', 'to', 'unknown',
          'at', string.format('%.0f', now), 'why', 'fleet')
      end
      local was = r.silent
      r.silent = r.silent or heard
      r.reason = alone and alarms_why(KEYS[6], device, heard) or 'fleet'
      r.w, r.calm = '', nil                           -- readings from before the silence neither end nor begin an alarm
      if r.c ~= 'alarm' then r.c = 'ok' end
      again = was and alone                           -- it was silent with the fleet, and still is
    end
    alarms_show(a, device, r, now, nil, nil, again)
    local next_at = r['until']
    if r.silent and r.reason == 'fleet' then next_at = math.min(next_at or now + bound, now + bound)
    elseif not r.silent and not r.retired then next_at = math.min(next_at or at, math.max(at, now + 1)) end
    if next_at then redis.call('ZADD', a.due, string.format('%.0f', next_at), device) else redis.call('ZREM', a.due, device) end
    redis.call('HSET', a.states, device, alarms_text(r, now))
  end
end
if #well > 0 then redis.call('ZADD', a.due, unpack(well)) end
return {looked, found, fleet or ''}
