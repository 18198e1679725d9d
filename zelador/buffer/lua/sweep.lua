-- Finds devices that have fallen silent, or whose shelving has ended, a limited number; more of those that turn out to be well. A device is silent when it was not heard for longer than
-- 5 times the 99th percentile of its own gaps, and at least LEAST_SILENCE; or for silent_ms, if that is set. If several devices are silent because
-- nothing was heard of any device, that is one event.
-- Two kinds of devices are looked at: those that were last heard before the least silence, which is where they stand in `devices`, in its order and
-- each once (`silence-seen` is how far it got); and those in `due` whose time has come: the silence of their own is longer, they are shelved, they
-- were silent with the fleet, or they are new. So a device without trouble costs nothing.
-- KEYS  1 states  2 announce  3 events  4 due  5 devices  6 quarantine (its shares are beside it)  7 silence-seen   ARGV  1 limit  2 silent_ms, or ''
--       3 the beginning of the keys of device hashes
-- Returns the number of devices looked at (there may be more if it is the limit or above), the number found silent, and since when the fleet is silent ('' if it is not).
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local a = alarms_open(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local limit, silent_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local LEAST_FLEET, WELL = 3, 4                           -- nearly all that are due are well: so many times as many of them are taken at once
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
local found, examined, calm = 0, 0, {}
local names = redis.call('ZRANGEBYSCORE', a.due, '-inf', string.format('%.0f', now), 'LIMIT', 0, fleet and limit or WELL * limit)
local taken_due = #names                              -- those that stay in `due` are added again: cheaper than removing the others by name
if taken_due > 0 then redis.call('ZREMRANGEBYRANK', a.due, 0, taken_due - 1) end
local least = silent_ms or LEAST_SILENCE
local quarantined = redis.call('EXISTS', KEYS[6] .. '-order') == 1
local crossed = redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. (redis.call('GET', KEYS[7]) or '-inf'), string.format('%.0f', now - least), 'WITHSCORES',
  'LIMIT', 0, limit)
if #crossed > 0 then
  local taken, last = {}, crossed[#crossed]
  for _, device in ipairs(names) do taken[device] = true end
  for i = 1, #crossed, 2 do
    if not taken[crossed[i]] then names[#names + 1] = crossed[i] end
    taken[crossed[i]] = true
  end
  if #crossed == 2 * limit then                       -- the others that were last heard in the same millisecond
    for _, device in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], last, last)) do
      if not taken[device] then redis.call('ZADD', a.due, string.format('%.0f', now), device) end
    end
  end
  redis.call('SET', KEYS[7], last)
end
local texts, times = {}, {}
if #names > 0 then texts, times = redis.call('HMGET', a.states, unpack(names)), redis.call('ZMSCORE', KEYS[5], unpack(names)) end
for i, device in ipairs(names) do
  local text, heard = texts[i], times[i]
  if text and heard and heard + least > now and string.byte(text, TIME_DIGITS + 1) == SPACE then
    if i > taken_due then calm[#calm + 1] = device end  -- nothing is wrong, and it was heard not long ago
  elseif not heard then                               -- forgotten: nothing of it is retained
    if i > taken_due then calm[#calm + 1] = device end
    if text then
      redis.call('HDEL', a.states, device)
      redis.call('ZREM', a.states .. '-' .. alarms_read(text).s, device)
      redis.call('HSET', a.announce, device, 'gone')
    end
  elseif examined >= limit and i <= taken_due then    -- these cost more: in the next step
    alarms_queue(a, 'ZADD', a.due, string.format('%.0f', now), device)
  else
    examined = examined + 1
    local r, facts = alarms_read(text)
    heard = tonumber(heard)
    local unseen = not r                              -- heard, and never classified
    if unseen then
      r = {t = 0, w = '', c = 'ok', s = '', since = now, v = 0, silent = heard, reason = 'not classified'}
      if tonumber(redis.call('HGET', ARGV[3] .. device, 'readings') or 0) == 0 then r.reason = alarms_why(KEYS[6], device, 0, r.reason) end
    end
    local bound = silent_ms or alarms_silence(ARGV[3] .. device)
    local at = heard + bound
    if r['until'] and r['until'] <= now then r['until'], r.why, r.sby = nil, nil, nil end
    local again = false
    local passing = r.reason == 'fleet' or r.reason == 'not classified'       -- it is looked at again
    if at <= now and (passing or not r.silent) and not r.retired then
      found = found + 1
      local alone = not (many and now - newest >= bound / 2)
      if not alone and not fleet then
        fleet = string.format('%.0f', newest)
        redis.call('HSET', a.states, '', fleet)
        redis.call('XADD', a.events, 'MAXLEN', '~', MOST_EVENTS, '*', 'device', '', 'from', 'ok', 'to', 'unknown',
          'at', string.format('%.0f', now), 'why', 'fleet')
      end
      local was = r.silent and not unseen
      r.silent = r.silent or heard
      r.reason = not alone and 'fleet' or quarantined and alarms_why(KEYS[6], device, heard, 'silent') or 'silent'
      r.w, r.calm = '', nil                           -- what came before the silence ends no alarm, and begins none
      if r.c == 'suspect' then r.c = 'ok' end
      again = was and alone                           -- it was silent with the fleet, and still is
    end
    alarms_show(a, device, r, facts, now, nil, nil, again, r.reason == 'not classified')
    local next_at = r['until']
    if r.reason == 'fleet' or r.reason == 'not classified' then next_at = math.min(next_at or now + bound, now + bound)
    elseif heard + least <= now and not r.silent and not r.retired then next_at = math.min(next_at or at, math.max(at, now + 1)) end
    if next_at then alarms_queue(a, 'ZADD', a.due, string.format('%.0f', next_at), device)
    elseif i > taken_due then calm[#calm + 1] = device end
    alarms_queue(a, 'HSET', a.states, device, alarms_text(r, now))
  end
end
alarms_flush(a)
if #calm > 0 then redis.call('ZREM', a.due, unpack(calm)) end
return {#names, found, fleet or ''}
