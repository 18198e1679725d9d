-- Appends a batch in one atomic step: entries, quarantined messages, their counts in the ledger, and devices.
-- A batch has a token: a repeat after a lost reply is recognized by it, gets the same reply, and changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 seen:0  5 seen:1  6 devices  7 marks  8 missing  9 requests
--       then one device hash for each device of ARGV
-- ARGV  1 group  2 repeat_window  3 keep_readings  4 keep_quarantine  5 keep_quarantine_bytes  6 keep_quarantine_s
--       7 keep_devices_s  8 now (ms)  9 features  10 writer  11 token of the batch  12 pack
--       13 the id of the quarantined message that this batch was decoded from, or ''; it is removed in the same step
--       14 keep_bytes  15 keep_devices (number)  16, 17 the text before and after the device in a topic
--       18 the messages, as one flat MessagePack array (one argument for each would cost more than its processing); for each:
--         the id of its only reading and its JSON; or '', the number of its readings, head, tail, and an (id, JSON) pair for each
--         (the JSON is head .. readings .. tail: repeats are left out without parsing)
--       then the number of messages with a request, and for each: its position among the messages, and the request
--       then the number of quarantined messages, and for each: its count, topic, reason, payload, length, digest, received_at
--       then the number of devices, and for each: device, readings, 1 if the time of its last message must be updated, else 0,
--         and '' or a MessagePack array of (position among the readings, sequence number) pairs
-- An entry of the stream contains messages that arrived together, up to `pack` readings plus the rest of its last message: a JSON
-- array in a field named by the features, and '#' with the number of its readings if there is more than one.
-- Returns accepted, repeated, backlog (by the counters: for back-pressure, never for the ledger), discarded from quarantine,
-- how full the quarantine is (percent), the waiting bytes, devices forgotten, 1 if measure.lua must count, and whether it is
-- written (written.lua). accepted is -1 if the quarantined message no longer exists; then nothing was changed.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, window, keep, keep_q, keep_q_bytes, keep_q_s, keep_devices, now, features, writer, token, pack, replaces =
  take(), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()),
  tonumber(take()), take(), take(), take(), tonumber(take()), take()
local keep_bytes, most_devices = tonumber(take()), tonumber(take())
local readings, ledger, marks, requests = KEYS[1], KEYS[3], KEYS[7], KEYS[9]
local quarantine = quarantine_open(KEYS[2], ledger, take(), take(), keep_q)
local CHUNK = 1000                                   -- Lua passes at most some 8,000 arguments to a call

local function answer(accepted, repeated, discarded, full, forgotten)
  local sums = redis.call('HMGET', ledger, 'accepted', 'classified', 'set_aside', 'waiting_bytes', 'measured')
  for i = 1, 4 do sums[i] = tonumber(sums[i] or 0) end
  return {accepted, repeated, sums[1] - sums[2] - sums[3], discarded, full, sums[4], forgotten, sums[5] and 0 or 1, written()}
end

local last = redis.call('HGET', ledger, 'batch:' .. writer)
if last then
  local before_token, before_accepted, before_repeated = string.match(last, '^(%S+) (%d+) (%d+)$')
  if before_token == token then return answer(tonumber(before_accepted), tonumber(before_repeated), 0, 0, 0) end
end

local replaced = 0
if replaces ~= '' then
  local fields = quarantine_take(quarantine, replaces)
  if not fields then return answer(-1, 0, 0, 0, 0) end
  replaced = tonumber(fields['n'] or 1)
end

local current = redis.call('HGET', ledger, 'seen') == '1' and 2 or 1
local seen, before = KEYS[3 + current], KEYS[6 - current]   -- current is 1 or 2

-- Finds the new ids and records them, in a few calls for any number of ids.
local messages, ids, place = cmsgpack.unpack(take()), {}, 1
local asks = {}                                      -- by the message's position
for _ = 1, tonumber(take()) do
  local message = tonumber(take())
  asks[message] = take()
end
while messages[place] do
  local n = 1
  if messages[place] == '' then
    n = messages[place + 1]
    place = place + 4
  end
  for i = 0, n - 1 do ids[#ids + 1] = messages[place + 2 * i] end
  place = place + 2 * n
end
local fresh, noted = {}, {}
for from = 1, #ids, CHUNK do
  local to = math.min(from + CHUNK - 1, #ids)
  local in_seen = redis.call('SMISMEMBER', seen, unpack(ids, from, to))
  local in_before = redis.call('SMISMEMBER', before, unpack(ids, from, to))
  local new = {}
  for i = from, to do
    local id = ids[i]
    if in_seen[i - from + 1] == 0 and in_before[i - from + 1] == 0 and not noted[id] then
      noted[id], fresh[i], new[#new + 1] = true, true, id
    end
  end
  if #new > 0 then redis.call('SADD', seen, unpack(new)) end
end

local accepted, repeated, number, oldest, appended, waiting = 0, 0, 0, nil, 0, 0
local packed, holds, asked, message_number = {}, 0, {}, 0
local function add()
  local json = '[' .. table.concat(packed, ',') .. ']'
  local id, request_bytes = waiting_add(readings, requests, features, json, holds, asked)
  oldest, appended, waiting = oldest or id, appended + #json, waiting + #json + request_bytes
  packed, holds, asked = {}, 0, {}
end
place = 1
while messages[place] do
  local n, kept, message = 1, 0, nil
  message_number = message_number + 1
  if messages[place] ~= '' then
    number = number + 1
    if fresh[number] then message, kept = messages[place + 1], 1 end
    place = place + 2
  else
    local head, tail, parts = messages[place + 2], messages[place + 3], {}
    n = messages[place + 1]
    place = place + 4
    for i = 0, n - 1 do
      if fresh[number + i + 1] then parts[#parts + 1] = messages[place + 2 * i + 1] end
    end
    number, place, kept = number + n, place + 2 * n, #parts
    if kept > 0 then message = head .. table.concat(parts, ',') .. tail end
  end
  if message then
    packed[#packed + 1] = message
    if asks[message_number] then asked[#asked + 1], asked[#asked + 2] = #packed - 1, asks[message_number] end
    holds, accepted = holds + kept, accepted + kept
    if holds >= pack then add() end
  end
  repeated = repeated + n - kept
end
if holds > 0 then add() end
if redis.call('SCARD', seen) >= window then   -- the full set is kept, the older one is emptied and used next
  redis.call('UNLINK', before)                         -- DEL would block Redis for a tenth of a second
  redis.call('HSET', ledger, 'seen', 2 - current)      -- 0: seen:0 is the current one, 1: seen:1
end

local quarantined, discarded, full = 0, 0, 0
for _ = 1, tonumber(take()) do
  local count = tonumber(take())
  quarantine_add(quarantine, 'refused', count, take(), take(), take(), take(), take(), take(), '')
  quarantined = quarantined + count
end
if quarantined > 0 then
  discarded, full = quarantine_bound(quarantine, keep_q, keep_q_bytes, keep_q_s * 1000, now)
end

local heard = {}
for i = 1, tonumber(take()) do
  local device, count, anew, numbers, key = take(), take(), take(), take(), KEYS[9 + i]
  if redis.call('HINCRBY', key, 'readings', count) == tonumber(count) then anew = '1' end  -- new, or forgotten since
  if numbers ~= '' then sequence_follow(key, device, ledger, KEYS[8], cmsgpack.unpack(numbers), fresh) end
  if anew == '1' then
    if redis.call('TTL', key) < keep_devices then redis.call('EXPIRE', key, math.ceil(keep_devices * 1.1)) end
    local last = redis.call('ZSCORE', KEYS[6], device)
    if last and count ~= '0' then alarms_gap(key, now - tonumber(last)) end
    if not last or count ~= '0' then heard[#heard + 1], heard[#heard + 2] = now, device end   -- refused readings are not heard
  end
end
for from = 1, #heard, CHUNK do
  redis.call('ZADD', KEYS[6], unpack(heard, from, math.min(from + CHUNK - 1, #heard)))
end
local forgotten = devices_bound(KEYS[6], KEYS[8], ledger, most_devices, now - keep_devices * 1000)

local received = accepted + repeated + quarantined - replaced
if redis.call('HINCRBY', ledger, 'received', received) == received then redis.call('HSET', ledger, 'measured', 1) end  -- the first
local total = redis.call('HINCRBY', ledger, 'accepted', accepted)
redis.call('HINCRBY', ledger, 'repeated', repeated)
redis.call('HINCRBY', ledger, 'quarantined', quarantined - replaced)

local bytes = redis.call('HINCRBY', ledger, 'appended_bytes', appended)
if oldest then
  redis.call('HINCRBY', ledger, 'waiting_bytes', waiting)
  local newest = redis.call('LINDEX', marks, -1)
  if not newest or mark_is_past(newest, total - accepted, keep / 200, bytes - appended, keep_bytes / 200) then
    redis.call('RPUSH', marks, mark_text(oldest, total - accepted, bytes - appended))
    waiting_sweep(readings, requests)
  end
  if newest and not select(4, mark_parts(newest)) then redis.call('HDEL', ledger, 'measured') end  -- written by the previous version
end
trim(readings, marks, total, keep, bytes, keep_bytes)

redis.call('HSET', ledger, 'batch:' .. writer, token .. ' ' .. accepted .. ' ' .. repeated)
return answer(accepted, repeated, discarded, full, forgotten)
