-- Settles a batch in one atomic step: XACK, the ledger, the newest predictions, readings set aside.
-- Only entries that are still pending count: a second settlement of an entry (after a takeover) changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 predictions  5 marks  6 requests  7 states  8 announce  9 events  10 due
--       11 outcomes  12 last-predictions  13 devices
-- ARGV  1 group  2 keep_predictions  3 keep_readings
--       4 keep_quarantine  5 keep_quarantine_bytes  6 keep_quarantine_s
--       7 keep_bytes  8, 9 the text before and after the device in a topic
--       10 the number of entries that are completely classified, and for each: id, readings, bytes (-1: not known), 1 if it
--         contains requests, else 0
--       then the number of other entries, and for each: the same four, number set aside, and for each of those:
--         topic, reason, payload, length, digest, received_at, features, profile, device, '<entry> <place>' of the reading
--       then the number of predictions to show, and each as JSON
--       then the devices and the newest prediction of each, as one flat MessagePack array (an argument for each would cost more)
--       then after how many ms a device is looked at for silence, the number of alarm rules, and for each: on_count, window,
--         off_count, off_ms, hold_ms
--       then the devices whose state the batch may change, as one flat MessagePack array. First three arrays for the devices with one reading
--         that is at level l: names, times, and rules (from 1; empty if there is only one). For each other: device, levels of its readings in the order
--         of their times, these times, its rule (from 1; only if there are several), and, if a level is h, the model,
--         and label, probability and id of each reading at level h (alarms.lua)
--       then what the archive gets (outcome_batch.py), or '', the number of its predictions, and the bytes that may wait for it
-- Returns classified, set aside, discarded from quarantine, 1 if an archive is registered, else 0, and, if something was set
-- aside, whether it is written (written.lua). A lost settlement without readings set aside only costs a repeat.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, keep, keep_readings = take(), take(), tonumber(take())
local keep_q, keep_q_bytes, keep_q_s = tonumber(take()), tonumber(take()), tonumber(take())
local keep_bytes, readings, ledger, requests = tonumber(take()), KEYS[1], KEYS[3], KEYS[6]
local quarantine = quarantine_open(KEYS[2], ledger, take(), take(), keep_q)
local classified, aside, discarded, freed, kept, counted, again = 0, 0, 0, 0, false, false, false
local state = redis.call('HMGET', ledger, 'scan', 'archive_hold')
local scan = state[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function done()                                -- an entry counts only if it was still pending
  local id, good, size, asked = take(), tonumber(take()), tonumber(take()), take() == '1'
  if redis.call('XACK', readings, group, id) == 0 then again = true; return false end
  counted = true
  classified, freed = classified + good, freed + waiting_take(readings, requests, id, size, asked, scan)
  return true
end
for _ = 1, tonumber(take()) do done() end
for _ = 1, tonumber(take()) do
  local counts = done()
  for _ = 1, tonumber(take()) do
    kept = true   -- also at a repeat: the first may not be written
    local topic, reason, payload, length, digest, received_at = take(), take(), take(), take(), take(), take()
    local features, profile, device, entry = take(), take(), take(), take()
    if counts then
      aside = aside + 1
      quarantine_add(quarantine, 'set_aside', 1, topic, reason, payload, length, digest, received_at, features, profile, device, '', entry)
    end
  end
end
if aside > 0 then discarded = quarantine_bound(quarantine, keep_q, keep_q_bytes, keep_q_s * 1000, now) end
for _ = 1, tonumber(take()) do
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', keep, '*', 'd', take())
end
devices_said(KEYS[12], KEYS[13], cmsgpack.unpack(take()))
local look_after, rules, seen = tonumber(take()), {}, {}
for i = 1, tonumber(take()) do
  rules[i] = {on_count = tonumber(take()), window = tonumber(take()), off_count = tonumber(take()),
    off_ms = tonumber(take()), hold_ms = tonumber(take())}
end
local flat, place, count, names, levels, times_at = cmsgpack.unpack(take()), 4, 0, {}, {}, {}
while flat[place] do                                  -- arrays, as a table for each device would cost more
  count = count + 1
  local its = flat[place + 1]
  names[count], levels[count], times_at[count] = flat[place], its, place + 2
  place = place + 2 + #its
  if #rules > 1 then
    rules[names[count]] = rules[flat[place]]
    place = place + 1
  end
  if string.find(its, 'h', 1, true) then
    seen[count] = place
    place = place + 1 + 3 * alarms_count(its, 'h')
  end
end
if counted then
  local a = alarms_open(KEYS[7], KEYS[8], KEYS[9], KEYS[10])
  alarms_calm(a, flat[1], flat[2], flat[3], rules, look_after, again, now)
  alarms_follow(a, names, levels, flat, times_at, seen, rules, look_after, again, now)
  alarms_flush(a)
  if state[2] then
    local archived, number, most = take(), take(), tonumber(take())
    if archived ~= '' and tonumber(redis.call('HGET', ledger, 'outcomes_bytes') or 0) + #archived > most then
      redis.call('HINCRBY', ledger, 'outcomes_missed', number)
    elseif archived ~= '' then
      redis.call('XADD', KEYS[11], '*', 'o', archived)
      redis.call('HINCRBY', ledger, 'outcomes_bytes', #archived)
    end
  end
end
if classified + aside > 0 then
  redis.call('HINCRBY', KEYS[3], 'classified', classified)
  redis.call('HINCRBY', KEYS[3], 'set_aside', aside)
  redis.call('HSET', KEYS[3], 'settled_at', string.format('%.0f', now))
  redis.call('HINCRBY', ledger, 'waiting_bytes', string.format('%d', -freed))
end
local totals = redis.call('HMGET', ledger, 'accepted', 'appended_bytes')
trim(readings, KEYS[5], ledger, tonumber(totals[1] or 0), keep_readings, tonumber(totals[2] or 0), keep_bytes)  -- so that a full Redis has room again
return {classified, aside, discarded, state[2] and 1 or 0, kept and written() or ''}
