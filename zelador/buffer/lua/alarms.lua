-- The state of each device, in the hash `states`: when nothing is wrong, "measured_at since version" (ms with 13 digits, ms, a count), so that
-- a device without trouble costs one field of one HMGET and one of one HSET; else a MessagePack map (half the cost of JSON):
--   t measured_at of the newest reading   w levels of the newest readings   c condition: ok, suspect, alarm   since (of the state shown)
--   v version (grows with each change of the state shown)   s state shown   calm, late (zelador/alarms/rule.py)
--   label, p, model, reading: of the reading that is newest at level h        by, at: who acknowledged the alarm, and when
--   until, why, sby: shelved, its reason, by whom     silent, reason: unknown since, and why     retired, rby: retired since, by whom
-- States shown: ok, suspect, alarm, acknowledged, shelved, unknown, retired. An alarm that falls silent stays an alarm.
-- Each state shown has a sorted set of its devices, by the time since when they are in it: states-<state>.
-- `announce` names devices whose state has to be published: device → version. `events` has their changes, the newest.
-- `due` names devices by the time at which something must be looked at: silence, or the end of shelving.
local ADOPT, MOST_EVENTS, SUSPECT_EVERY = 60000, 20000, 60000
local LEAST_SILENCE, TIME_DIGITS = 60000, 13

local function alarms_open(states, announce, events, due)
  return {states = states, announce = announce, events = events, due = due}
end

local function alarms_shown(r, now)
  if r.retired then return 'retired' end
  if r['until'] and r['until'] > now then return 'shelved' end
  if r.c == 'alarm' then return r.by and 'acknowledged' or 'alarm' end
  if r.silent then return 'unknown' end
  return r.c
end

local function alarms_read(text)
  if not text then return nil end
  if string.byte(text) > 127 then return cmsgpack.unpack(text) end
  local t, since, v = string.match(text, '^(%d+) (%d+) (%d+)$')
  return {t = tonumber(t), w = '', c = 'ok', s = 'ok', since = tonumber(since), v = tonumber(v)}
end

local function alarms_text(r, now)
  if r.noted and now - r.noted >= SUSPECT_EVERY then r.noted = nil end
  if r.s == 'ok' and r.c == 'ok' and not string.find(r.w, '[^l]') and not r.late and not r.noted then
    return string.format('%013.0f %.0f %d', r.t, r.since, r.v)
  end
  return cmsgpack.pack(r)
end

-- Records the state shown, if it has changed: in the outbox, and as an event.
local function alarms_show(a, device, r, now, by, why, again, no_event)
  local shown = alarms_shown(r, now)
  if shown == r.s and not again then return false end
  local before, quiet = r.s, no_event
  if shown ~= before then
    if before ~= '' then redis.call('ZREM', a.states .. '-' .. before, device) end
    redis.call('ZADD', a.states .. '-' .. shown, string.format('%.0f', now), device)
    r.since = now
  end
  r.s, r.v = shown, r.v + 1
  redis.call('HSET', a.announce, device, r.v)
  if before == 'suspect' and shown == 'ok' or shown == 'suspect' and before == 'ok' then
    quiet = quiet or r.noted and now - r.noted < SUSPECT_EVERY        -- a device that flaps must not push out the events of others
    if not quiet then r.noted = shown == 'suspect' and now or nil end
  end
  if before == '' and shown == 'ok' or quiet or r.reason == 'fleet' then return true end
  local fields = {'device', device, 'from', before == '' and 'ok' or before, 'to', shown, 'at', string.format('%.0f', now)}
  local function put(name, value) if value then fields[#fields + 1], fields[#fields + 2] = name, value end end
  put('by', by)
  put('why', why or (shown == 'unknown' and r.reason or nil))
  if shown == 'alarm' then
    put('label', r.label)
    put('probability', r.p and tostring(r.p))
    put('model', r.model)
    put('reading_id', r.reading)
  end
  redis.call('XADD', a.events, 'MAXLEN', '~', MOST_EVENTS, '*', unpack(fields))
  return true
end

local function alarms_count(window, level)
  return select(2, string.gsub(window, level, ''))
end

local function alarms_below(window)
  return string.find(window, 'h', 1, true) and 'suspect' or 'ok'
end

-- The readings of a device, whose times are in `flat` from `at` on: the same as `step` in zelador/alarms/rule.py for each. With
-- `again`, another worker may have settled some of them: one as old as the newest known counts as a repeat.
-- Returns whether one was not late, and of these whether one was at level h, and whether the model answered one.
local function alarms_readings(r, levels, flat, at, rule, again, now)
  local w, c, calm, fresh, high, answered = r.w, r.c, r.calm, false, false, false
  for i = 1, #levels do
    local t, level = flat[at + i - 1], string.sub(levels, i, i)
    local late = t < r.t
    if late then
      r.late = r.late or now
      late = now - r.late < ADOPT
      if not late then w, calm = '', nil end
    end
    if not late and not (again and t == r.t) then
      r.t, r.late, fresh, w = t, nil, true, string.sub(w .. level, -rule.window)
      high, answered = high or level == 'h', answered or level ~= 'x'
      if c == 'alarm' then
        if alarms_count(w, 'l') < rule.off_count then
          calm = nil
        else
          calm = calm or t
          if t - calm >= rule.off_ms then w, c, calm, r.by, r.at = '', 'ok', nil, nil, nil end
        end
      elseif level == 'h' and alarms_count(w, 'h') >= rule.on_count then
        w, c, calm = '', 'alarm', nil
      end
    end
  end
  if fresh and c ~= 'alarm' then c = alarms_below(w) end
  r.w, r.c, r.calm = w, c, calm
  return fresh, high, answered
end

-- The readings of a batch, by device: levels, where in `flat` their times are, in order, and what the newest reading at level h
-- said. `rules` has one rule
-- for all devices, or several, and then also each device's by its name.
local function alarms_follow(a, names, levels, flat, times_at, said, rules, look_after, again, now)
  local stored, changed, count = {}, {}, 0
  for from = 1, #names, 1000 do
    local texts = redis.call('HMGET', a.states, unpack(names, from, math.min(from + 999, #names)))
    for i, text in ipairs(texts) do stored[from + i - 1] = text end
  end
  for i, device in ipairs(names) do
    local text, at = stored[i], times_at[i]
    local t = text and not said[i] and tonumber(string.sub(text, 1, TIME_DIGITS))   -- nil: a map
    local plain = t and flat[at] >= t and not string.find(levels[i], '[^l]')
    if plain then                                     -- nearly always: nothing is wrong
      local newest = flat[at + #levels[i] - 1]
      if newest > t then
        changed[count + 1] = device
        changed[count + 2] = string.format('%013.0f', newest) .. string.sub(text, TIME_DIGITS + 1)
        count = count + 2
      end
    end
    if not plain then
      local r = alarms_read(text or nil) or {t = 0, w = '', c = 'ok', s = '', since = now, v = 0}
      local rule, fleet = rules[device] or rules[1], r.reason == 'fleet'
      local fresh, high, answered = alarms_readings(r, levels[i], flat, at, rule, again, now)
      if high then
        local one = said[i]
        r.label, r.p, r.model, r.reading = one.label, tonumber(one.p), one.model, one.reading
      end
      if r.silent and answered then
        r.silent, r.reason = nil, nil
        redis.call('ZADD', a.due, now + look_after, device)
      elseif fresh and not r.silent and #r.w >= rule.window and not string.find(r.w, '[^x]') then
        r.silent, r.reason = now, 'set aside'
      end
      if r.s == '' then redis.call('ZADD', a.due, now + look_after, device) end
      alarms_show(a, device, r, now, nil, nil, false, fleet)
      if r.c == 'ok' then r.label, r.p, r.model, r.reading = nil, nil, nil, nil end
      changed[count + 1], changed[count + 2] = device, alarms_text(r, now)
      count = count + 2
    end
  end
  for from = 1, count, 1000 do
    redis.call('HSET', a.states, unpack(changed, from, math.min(from + 999, count)))
  end
end

-- The silence after which a device is unknown: 5 times the 99th percentile of its gaps, at least LEAST_SILENCE. `long` counts gaps
-- of at least 2 s in bins of a factor 2^0.5, `heard` all of them (append.lua).
local function alarms_silence(key)
  local known = redis.call('HMGET', key, 'heard', 'long')
  if not known[2] then return LEAST_SILENCE end
  local more, bins = math.max(tonumber(known[1] or 0), 1) / 100, cjson.decode(known[2])
  local places = {}
  for place in pairs(bins) do places[#places + 1] = tonumber(place) end
  table.sort(places, function(x, y) return x > y end)
  local beyond = 0
  for _, place in ipairs(places) do
    beyond = beyond + bins[tostring(place)]
    if beyond > more then return math.max(LEAST_SILENCE, 5 * 2000 * 2 ^ ((place + 1) / 2)) end
  end
  return LEAST_SILENCE
end

-- A gap between two messages of a device, in ms. The counts are halved at times, so that a device's new habits count.
local function alarms_gap(key, gap)
  local heard = redis.call('HINCRBY', key, 'heard', 1)
  if gap < 2000 then return end
  local bins = cjson.decode(redis.call('HGET', key, 'long') or '{}')
  local place = tostring(math.min(40, math.floor(2 * math.log(gap / 2000) / math.log(2))))
  bins[place] = (bins[place] or 0) + 1
  if heard > 4000 then
    redis.call('HSET', key, 'heard', math.floor(heard / 2))
    for each, count in pairs(bins) do bins[each] = count > 1 and count / 2 or nil end
  end
  redis.call('HSET', key, 'long', cjson.encode(bins))
end

-- The reason why a device is silent: its newest messages are in quarantine, or there are none.
local function alarms_why(quarantine, device, heard)
  local newest = redis.call('ZREVRANGEBYLEX', quarantine .. '-order', '[' .. device .. '\31\255', '[' .. device .. '\31', 'LIMIT', 0, 1)[1]
  local at = newest and tonumber(string.match(newest, '\31(%d+)-'))
  return at and at > heard and 'quarantined' or 'silent'
end
