-- Marks a batch done in one atomic step: XACK, the ledger, the newest predictions, what is set aside.
-- Only an entry that was still pending counts: a second settlement of the same entry (after a takeover) changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 predictions  5 marks   then one device hash for each device of ARGV
-- ARGV  1 group  2 keep_predictions  3 keep_devices_s  4 keep_readings
--       5 keep_quarantine  6 keep_quarantine_bytes  7 keep_quarantine_s
--       8 number of lots of entries with the same number of readings, all classified, and for each lot:
--         readings of each, number of entries (1,000 at most), their ids
--       then the number of other entries, and for each: id, classified, number set aside, and for each of those:
--         topic, reason, payload, length, digest, received_at, features
--       then the number of predictions to show, and each as JSON
--       then the number of devices, and for each: label, confidence, predicted_at (ms), model
-- Returns classified, set aside, discarded from quarantine, and where something was set aside whether it is written
-- (written.lua). A settlement that is lost alone costs a repeat.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, keep, keep_devices, keep_readings = take(), take(), tonumber(take()), tonumber(take())
local keep_q, keep_q_bytes, keep_q_s = tonumber(take()), tonumber(take()), tonumber(take())
local classified, aside, discarded, kept = 0, 0, 0, false
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _ = 1, tonumber(take()) do
  local good, count = tonumber(take()), tonumber(take())
  classified = classified + good * redis.call('XACK', KEYS[1], group, unpack(ARGV, at + 1, at + count))
  at = at + count
end
for _ = 1, tonumber(take()) do
  local id, good = take(), tonumber(take())
  local counts = redis.call('XACK', KEYS[1], group, id) == 1
  if counts then classified = classified + good end
  for _ = 1, tonumber(take()) do
    kept = true   -- also at a second try: the first may not be written
    local topic, reason, payload, length, digest, received_at, features = take(), take(), take(), take(), take(), take(), take()
    if counts then
      aside = aside + 1
      quarantine_add(KEYS[2], KEYS[3], 'set_aside', 1, topic, reason, payload, length, digest, received_at, features)
    end
  end
end
if aside > 0 then discarded = quarantine_bound(KEYS[2], KEYS[3], keep_q, keep_q_bytes, keep_q_s * 1000, now) end
for _ = 1, tonumber(take()) do
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', keep, '*', 'd', take())
end
for i = 1, tonumber(take()) do
  local key = KEYS[5 + i]
  local new = redis.call('HSET', key, 'label', take(), 'confidence', take(), 'predicted_at', take(), 'model', take())
  if new > 0 then redis.call('EXPIRE', key, math.ceil(keep_devices * 1.1)) end    -- append.lua renews it
end
if classified + aside > 0 then
  redis.call('HINCRBY', KEYS[3], 'classified', classified)
  redis.call('HINCRBY', KEYS[3], 'set_aside', aside)
  redis.call('HSET', KEYS[3], 'settled_at', string.format('%.0f', now))
end
trim(KEYS[1], KEYS[5], tonumber(redis.call('HGET', KEYS[3], 'accepted') or 0), keep_readings)   -- a full Redis gets room again
return {classified, aside, discarded, kept and written() or ''}
