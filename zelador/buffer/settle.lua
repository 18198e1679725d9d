-- Marks a batch done in one atomic step: XACK, the ledger, the newest predictions, what is set aside.
-- Only an entry that was still pending counts: a second settlement of the same entry (after a takeover) changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 predictions   then one device hash for each device of ARGV
-- ARGV  1 group  2 keep_predictions  3 keep_devices_s
--       4 number of lots of entries with the same number of readings, all classified, and for each lot:
--         readings of each, number of entries (1,000 at most), their ids
--       then the number of other entries, and for each: id, classified, number set aside, and for each of those:
--         topic, reason, payload, length, digest, received_at
--       then the number of predictions to show, and each as JSON
--       then the number of devices, and for each: label, confidence, predicted_at (ms), model
-- Returns classified, set aside.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, keep, keep_devices = take(), take(), tonumber(take())
local classified, aside = 0, 0
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
    local topic, reason, payload, length, digest, received_at = take(), take(), take(), take(), take(), take()
    if counts then
      aside = aside + 1
      redis.call('XADD', KEYS[2], '*', 'kind', 'set_aside', 'topic', topic, 'reason', reason, 'payload', payload,
        'length', length, 'digest', digest, 'received_at', received_at, 'n', 1)
      redis.call('HINCRBY', KEYS[3], 'quarantine_bytes', #payload)
    end
  end
end
for _ = 1, tonumber(take()) do
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', keep, '*', 'd', take())
end
for i = 1, tonumber(take()) do
  local key = KEYS[4 + i]
  local new = redis.call('HSET', key, 'label', take(), 'confidence', take(), 'predicted_at', take(), 'model', take())
  if new > 0 then redis.call('EXPIRE', key, math.ceil(keep_devices * 1.1)) end    -- append.lua renews it
end
redis.call('HINCRBY', KEYS[3], 'classified', classified)
redis.call('HINCRBY', KEYS[3], 'set_aside', aside)
return {classified, aside}
