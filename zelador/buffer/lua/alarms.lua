-- The state of each device, in the hash `states`, in one of three forms, so that a device whose state does not change costs one field of an
-- HMGET, and an HSET once a second at most:
--   "measured_at since version"   nothing is wrong (ms with 13 digits, ms, a number)
--   "measured_at" .. 'a' .. map   an alarm that goes on: all readings of its window are at level h
--   map                           anything else. A map is MessagePack (half the cost of JSON) with:
--   t measured_at of the newest reading   w levels of the newest readings   c condition: ok, suspect, chattering, alarm
--   since (of the state shown; of an alarm, acknowledged or not: when it began)   v version   s state shown
--   came: since when the alarm is shown, if that is later   calm, late, on, seen: calm_at, late_at, began_at, seen_at of alarms/rule.py
--   label, p, model, reading: of the reading at level h that changed the condition        by, at: who acknowledged the alarm, and when
--   until, why, sby: shelved, its reason, by whom     silent, reason: unknown since, and why     retired, rby: retired since, by whom
--   noted: when suspect was last recorded as an event     told: the state recorded last, if it is not the one shown
-- A version is larger at each change of what is published: it is at least the time of the change, so that it does not start again when Redis
-- loses its last second, or a device is forgotten.
-- States shown: ok, suspect, alarm, acknowledged, shelved, unknown, retired. An alarm that falls silent stays an alarm. Chattering is shown as
-- suspect, with that reason.
-- Each state shown has a sorted set of its devices, by `since`, and of acknowledged by `at`: states-<state>.
-- `announce` names devices whose state has to be published: device → version. `events` has their changes, the newest.
-- `due` names devices by the time at which something must be looked at: silence, the end of shelving, or that it was never classified.
local ADOPT, MOST_EVENTS, SUSPECT_EVERY = 60000, 20000, 60000
local LEAST_SILENCE, TIME_DIGITS, TIME_ACCURACY = 60000, 13, 1000
local SPACE, LETTER_A = 32, 97

local function alarms_open(states, announce, events, due)
  return {states = states, announce = announce, events = events, due = due, queues = {}}
end

-- Writes wait, so that many devices need few calls, until alarms_flush. A device is changed once in a run of a script.
local function alarms_queue(a, command, key, ...)
  local name = command .. key
  local queue = a.queues[name]
  if not queue then
    queue = {command = command, key = key}
    a.queues[name] = queue
  end
  for i = 1, select('#', ...) do queue[#queue + 1] = select(i, ...) end
end

local function alarms_flush(a)
  local names = {}
  for name in pairs(a.queues) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local queue = a.queues[name]
    for from = 1, #queue, 2000 do redis.call(queue.command, queue.key, unpack(queue, from, math.min(from + 1999, #queue))) end
  end
  a.queues = {}
end

local function alarms_shown(r, now)
  if r.retired then return 'retired' end
  if r['until'] and r['until'] > now then return 'shelved' end
  if r.c == 'alarm' then return r.by and 'acknowledged' or 'alarm' end
  if r.silent then return 'unknown' end
  return r.c == 'chattering' and 'suspect' or r.c
end

-- What is published of a device beside its state.
local function alarms_facts(r)
  return table.concat({r.label or '', r.p or '', r.model or '', r.reading or '', r.by or '', r['until'] or '', r.why or '', r.reason or ''}, '\31')
end
local NO_FACTS = '\31\31\31\31\31\31\31'             -- (a library may not call anything when it is loaded)

-- The stored state and its facts.
local function alarms_read(text)
  if not text then return nil, NO_FACTS end
  local r
  if string.byte(text) > 127 then
    r = cmsgpack.unpack(text)
  elseif string.byte(text, TIME_DIGITS + 1) == LETTER_A then
    r = cmsgpack.unpack(string.sub(text, TIME_DIGITS + 2))
    r.t = tonumber(string.sub(text, 1, TIME_DIGITS))
  else
    local t, since, v = string.match(text, '^(%d+) (%d+) (%d+)$')
    return {t = tonumber(t), w = '', c = 'ok', s = 'ok', since = tonumber(since), v = tonumber(v)}, NO_FACTS
  end
  return r, alarms_facts(r)
end

local function alarms_text(r, now)
  if r.noted and now - r.noted >= SUSPECT_EVERY then r.noted = nil end
  if not r.late and r.c == 'ok' and r.s == 'ok' and not r.on and not r.noted and not r.told and not string.find(r.w, '[^l]') then
    return string.format('%013.0f %.0f %.0f', r.t, r.since, r.v)
  end
  if not r.late and r.c == 'alarm' and not r.calm and not r.silent and not string.find(r.w, '[^h]') then
    return string.format('%013.0fa', r.t) .. cmsgpack.pack(r)
  end
  return cmsgpack.pack(r)
end

-- `alarm` has the label, p, model and reading of an alarm that begins.
local function alarms_event(a, device, from, to, now, by, why, alarm)
  local fields = {'device', device, 'from', from, 'to', to, 'at', string.format('%.0f', now)}
  local function put(name, value) if value then fields[#fields + 1], fields[#fields + 2] = name, value end end
  put('by', by)
  put('why', why)
  if to == 'alarm' then
    put('label', alarm.label)
    put('probability', alarm.p and tostring(alarm.p))
    put('model', alarm.model)
    put('reading_id', alarm.reading)
  end
  redis.call('XADD', a.events, 'MAXLEN', '~', MOST_EVENTS, '*', unpack(fields))
end

-- Since when a device is in a state that it comes to now. An alarm keeps its beginning, also if it was acknowledged, shelved or retired.
local function alarms_since(r, shown, now)
  return (shown == 'alarm' or shown == 'acknowledged') and r.seen or now
end

-- Records the state shown, if it or its facts have changed: to be published, and as an event. `again`: an event also if it is the same
-- state, for another reason. `from`: the state before this change, if it was never shown (alarms_passed).
-- Some states are not recorded as events: what the whole fleet has, what a new device has, and suspect twice within SUSPECT_EVERY, as a device
-- that flaps must not push out the events of others. The next event begins with the state that was recorded last, so that they join.
local function alarms_show(a, device, r, facts, now, by, why, again, no_event, from)
  local shown, before = alarms_shown(r, now), r.s
  local often = r.noted and now - r.noted < SUSPECT_EVERY
  local overdue = shown == 'suspect' and r.told and not often
  if shown ~= before or from or facts ~= alarms_facts(r) then
    r.v = math.max(r.v, now) + 1
    alarms_queue(a, 'HSET', a.announce, device, string.format('%.0f', r.v))
  elseif not overdue then
    return
  end
  if shown ~= before or from then
    if before ~= '' and before ~= shown then alarms_queue(a, 'ZREM', a.states .. '-' .. before, device) end
    r.s, r.since = shown, alarms_since(r, shown, now)
    r.came = shown == 'alarm' and r.since < now and now or nil
    alarms_queue(a, 'ZADD', a.states .. '-' .. shown, string.format('%.0f', shown == 'acknowledged' and r.at or r.since), device)
  elseif not again and not overdue then
    return
  end
  local told = from or r.told or (before == '' and 'ok' or before)
  r.told = nil
  if no_event or shown == 'unknown' and r.reason == 'fleet' or shown == 'suspect' and told == 'ok' and often then
    if told ~= shown then r.told = told end
  elseif told ~= shown or again then
    if shown == 'suspect' and told == 'ok' then r.noted = now end
    alarms_event(a, device, told, shown, now, by, why or ((shown == 'unknown' or shown == 'suspect') and r.reason or nil), r)
  end
end

local function alarms_count(window, level)
  return select(2, string.gsub(window, level, ''))
end

-- The readings of a device, whose times are in `flat` from `at` on: the same as `step` in zelador/alarms/rule.py for each. With
-- `again`, another worker may have settled some of them: one as old as the newest known counts as a repeat.
-- Returns whether one was not late, and whether the model answered one of these. Then which of the readings at level h changed the condition
-- last, and a list of the alarms that began (which of these readings began it) or ended (0); nil if there is none.
local function alarms_readings(r, levels, flat, at, rule, again, now)
  local w, c, calm, hold, fresh, answered = r.w, r.c, r.calm, rule.hold_ms, false, false
  local highs, decisive, turns = 0, nil, nil
  for i = 1, #levels do
    local t, level = flat[at + i - 1], string.sub(levels, i, i)
    local was, late, jumps = c, t < r.t, r.on and t - r.t >= hold and now - (r.seen or now) < hold
    if level == 'h' then highs = highs + 1 end
    if late then
      r.late = r.late or now
      late = now - r.late < ADOPT
      if not late then w, calm, jumps = '', nil, true end
    end
    if not late and not (again and t == r.t) then
      if jumps and r.on then r.on = t - (now - (r.seen or now)) end
      local gap = t - r.t
      r.t, r.late, fresh, w = t, nil, true, string.sub(w .. level, -rule.window)
      answered = answered or level ~= 'x'
      local due, begins = not r.on or t - r.on >= hold, false
      if c == 'alarm' or c == 'chattering' then
        if alarms_count(w, 'l') < rule.off_count then
          calm, begins = nil, c == 'chattering' and level == 'h' and due
        else
          calm = calm and calm + math.max(0, gap - math.floor(rule.off_ms / 2)) or t
          if t - calm >= rule.off_ms then w, c, calm, r.by, r.at = '', 'ok', nil, nil, nil end
        end
      elseif level == 'h' and alarms_count(w, 'h') >= rule.on_count then
        begins = due
        if not due then w, c = '', 'chattering' end
      else
        c = string.find(w, 'h', 1, true) and 'suspect' or 'ok'
      end
      if begins then
        w, c, calm, r.on, r.seen = '', 'alarm', nil, t, now
      elseif c ~= 'alarm' and due then
        r.on, r.seen = nil, nil
      end
      if c ~= was then
        if level == 'h' then decisive = highs end
        if c == 'alarm' or was == 'alarm' then
          turns = turns or {}
          turns[#turns + 1] = c == 'alarm' and highs or 0
        end
      end
    end
  end
  r.w, r.c, r.calm = w, c, calm
  return fresh, answered, decisive, turns
end

-- What the model said of a reading at level h. `said`: where in `flat` this begins for the device (settle.lua).
local function alarms_said(flat, said, number)
  local at = said + 3 * number - 2
  return {model = flat[said], label = flat[at], p = tonumber(string.format('%.6g', flat[at + 1])), reading = flat[at + 2]}
end

-- Records alarms that began or ended in a batch and were over by its end, as events: somebody has to know of each. Returns the
-- state before the last of these changes, which alarms_show records; nil if there was no other.
local function alarms_passed(a, device, r, turns, flat, said, now)
  if not turns or #turns == 1 or r.retired or (r['until'] and r['until'] > now) then return nil end
  local from = r.told or (r.s == '' and 'ok' or r.s)
  for i = 1, #turns - 1 do
    local to = turns[i] > 0 and 'alarm' or 'ok'
    alarms_event(a, device, from, to, now, nil, nil, turns[i] > 0 and alarms_said(flat, said, turns[i]))
    from = to
  end
  return from
end

-- The readings of one device in a batch: levels, where in `flat` their times are, in order, and where what the model said of those at
-- level h is. `text` is its stored state, or false. Returns the state to be stored.
local function alarms_device(a, device, text, levels, flat, at, said, rule, look_after, again, now)
  local r, facts = alarms_read(text)
  if not r then
    r = {t = 0, w = '', c = 'ok', s = '', since = now, v = 0}
    alarms_queue(a, 'ZADD', a.due, string.format('%.0f', now + look_after), device)
  end
  local fresh, answered, decisive, turns = alarms_readings(r, levels, flat, at, rule, again, now)
  local from = alarms_passed(a, device, r, turns, flat, said, now)
  if r.c == 'ok' then
    r.label, r.p, r.model, r.reading = nil, nil, nil, nil
  elseif decisive then
    local its = alarms_said(flat, said, decisive)
    r.label, r.p, r.model, r.reading = its.label, its.p, its.model, its.reading
  end
  if r.silent and answered then
    r.silent, r.reason = nil, nil
    alarms_queue(a, 'ZADD', a.due, string.format('%.0f', now + look_after), device)
  elseif fresh and not answered and (r.s == '' or r.reason == 'not classified')
    or fresh and not r.silent and #r.w >= rule.window and not string.find(r.w, '[^x]') then
    r.silent, r.reason = now, 'set aside'
  end
  if not r.silent then r.reason = r.c == 'chattering' and r.c or nil end
  alarms_show(a, device, r, facts, now, nil, nil, false, false, from)
  return alarms_text(r, now)
end

local function alarms_stored(a, names)
  local stored = {}
  for from = 1, #names, 1000 do
    local texts = redis.call('HMGET', a.states, unpack(names, from, math.min(from + 999, #names)))
    for i = 1, #texts do stored[from + i - 1] = texts[i] end
  end
  return stored
end

local function alarms_store(a, changed)
  for from = 1, #changed, 2000 do
    redis.call('HSET', a.states, unpack(changed, from, math.min(from + 1999, #changed)))
  end
end

-- Devices with one reading at level l in the batch, as nearly all have: their times, and their rules if there are several.
local function alarms_calm(a, names, times, places, rules, look_after, again, now)
  local stored, changed, count = alarms_stored(a, names), {}, 0
  for i = 1, #names do
    local text, time = stored[i], times[i]
    local t = text and string.byte(text, TIME_DIGITS + 1) == SPACE and tonumber(string.sub(text, 1, TIME_DIGITS))
    if not t or time < t then
      changed[count + 1], changed[count + 2] = names[i],
        alarms_device(a, names[i], text, 'l', times, i, nil, rules[places[i] or 1], look_after, again, now)
      count = count + 2
    elseif time - t >= TIME_ACCURACY then
      changed[count + 1], changed[count + 2] = names[i], string.format('%013.0f', time) .. string.sub(text, TIME_DIGITS + 1)
      count = count + 2
    end
  end
  alarms_store(a, changed)
end

-- The other devices of a batch. `rules` has one rule for all devices, or several, and then also each device's by its name.
local function alarms_follow(a, names, levels, flat, times_at, said, rules, look_after, again, now)
  local stored, changed, count = alarms_stored(a, names), {}, 0
  for i, device in ipairs(names) do
    local text, at, its = stored[i], times_at[i], levels[i]
    local form = text and string.byte(text, TIME_DIGITS + 1)
    local t = (form == SPACE and not string.find(its, '[^l]') or form == LETTER_A and not string.find(its, '[^h]'))
      and tonumber(string.sub(text, 1, TIME_DIGITS))
    if not t or flat[at] < t then
      changed[count + 1], changed[count + 2] = device,
        alarms_device(a, device, text, its, flat, at, said[i], rules[device] or rules[1], look_after, again, now)
      count = count + 2
    else                                              -- what goes on: nothing is wrong and all is well, or an alarm
      local newest = flat[at + #its - 1]
      if newest - t >= TIME_ACCURACY then
        changed[count + 1], changed[count + 2] = device, string.format('%013.0f', newest) .. string.sub(text, TIME_DIGITS + 1)
        count = count + 2
      end
    end
  end
  alarms_store(a, changed)
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

-- Why a device is unknown: its newest messages are in quarantine, or `otherwise`.
local function alarms_why(quarantine, device, heard, otherwise)
  local newest = redis.call('ZREVRANGEBYLEX', quarantine .. '-order', '[' .. device .. '\31\255', '[' .. device .. '\31', 'LIMIT', 0, 1)[1]
  local at = newest and tonumber(string.match(newest, '\31(%d+)-'))
  return at and at > heard and 'quarantined' or otherwise
end
