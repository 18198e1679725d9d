-- Appends a lot in one atomic step: entries, quarantined messages, their counts in the ledger, and devices.
-- Each lot has a token. A lot that is sent again after a lost reply is recognized by it, gets the same reply, and changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 seen:0  5 seen:1  6 devices  7 marks  8 missing  9 requests
--       10 repeating  11 late-labels:0  12 late-labels:1   then one device hash for each device of ARGV
-- ARGV  1 group  2 repeat_window  3 keep_readings  4 keep_quarantine  5 keep_quarantine_bytes  6 keep_quarantine_s
--       7 keep_devices_s  8 now (ms)  9 features  10 writer  11 token of the lot  12 pack
--       13 the id of the quarantined message that this lot was decoded from, or ''; it is removed in the same step
--       14 keep_bytes  15 keep_devices (number)  16, 17 the text before and after the device in a topic
--       18 '', or with unique ids one flat MessagePack array: for each reading, what goes to quarantine if its id came before with
--         another content (topic, reason, payload, digest, received_at)
--       19 the messages, as one flat MessagePack array (one argument for each would cost more than its processing):
--         a message with one reading: the reading's key (repeats.lua), its JSON
--         a group of such messages: 0, their number, then for each: key, length of its JSON
--         a message with more readings: '', their number, head, tail, then for each: key, JSON
--           (the message's JSON is head .. readings .. tail, so that repeats are left out without parsing)
--       then the number of messages with a request, and for each: its position among the messages, and the request
--       then the number of groups, and for each its JSON, an array. It is stored as it is if no reading is a repeat: each text that
--         Lua makes costs a hash of all its bytes
--       then the number of quarantined messages, and for each: its count, topic, reason, payload, length, digest, received_at,
--         profile, device, '1' if it was retained
--       then the number of devices, and for each: device, readings, 1 if the time of its last message must be updated, else 0,
--         and '' or a MessagePack array of (position among the readings, sequence number) pairs
-- An entry of the stream contains messages that arrived together, up to `pack` readings plus the rest of its last message. It is a
-- JSON array in a field whose name lists the features, and a field '#' with the number of its readings if there is more than one.
-- Returns accepted, repeated, backlog (by the counters: for back-pressure, never for the ledger), discarded from quarantine,
-- how full the quarantine is (percent), the waiting bytes, devices forgotten, readings quarantined because their id is not
-- unique, 1 if measure.lua must count, a device that has begun to send mostly repeats or '', and whether it is written
-- (written.lua). accepted is -1 if the quarantined message no longer exists; then nothing was changed.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, window, keep, keep_q, keep_q_bytes, keep_q_s, keep_devices, now, features, writer, token, pack, replaces =
  take(), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()),
  tonumber(take()), take(), take(), take(), tonumber(take()), take()
local keep_bytes, most_devices = tonumber(take()), tonumber(take())
local readings, ledger, marks, requests = KEYS[1], KEYS[3], KEYS[7], KEYS[9]
local quarantine = quarantine_open(KEYS[2], ledger, take(), take(), keep_q)
local rest = take()
local unique = rest ~= '' and cmsgpack.unpack(rest)
local CHUNK = 1000                                   -- Lua passes at most some 8,000 arguments to a call

local function answer(accepted, repeated, discarded, full, forgotten, conflicts, repeating)
  local sums = redis.call('HMGET', ledger, 'accepted', 'classified', 'set_aside', 'waiting_bytes', 'measured')
  for i = 1, 4 do sums[i] = tonumber(sums[i] or 0) end
  return {accepted, repeated, sums[1] - sums[2] - sums[3], discarded, full, sums[4], forgotten, conflicts, sums[5] and 0 or 1,
    repeating, written()}
end

local last = redis.call('HGET', ledger, 'batch:' .. writer)
if last then
  local before_token, before_accepted, before_repeated = string.match(last, '^(%S+) (%d+) (%d+)$')
  if before_token == token then return answer(tonumber(before_accepted), tonumber(before_repeated), 0, 0, 0, 0, '') end
end

local replaced = 0
if replaces ~= '' then
  local fields = quarantine_take(quarantine, replaces)
  if not fields then return answer(-1, 0, 0, 0, 0, 0, '') end
  replaced = tonumber(fields['n'] or 1)
end

local state = redis.call('HMGET', ledger, 'seen', 'keyed', 'received')
local current, keyed = state[1] == '1' and 2 or 1, tonumber(state[2] or (state[3] and 0 or KEYED))
local seen, before = KEYS[3 + current], KEYS[6 - current]   -- current is 1 or 2
if not state[2] then redis.call('HSET', ledger, 'keyed', keyed) end

-- Finds the new readings and records them, in a few calls for any number of them.
local messages, ids, place = cmsgpack.unpack(take()), {}, 1
local asks = {}                                      -- by the message's position
for _ = 1, tonumber(take()) do
  local message = tonumber(take())
  asks[message] = take()
end
local groups = {}
for i = 1, tonumber(take()) do groups[i] = take() end
while messages[place] do
  local n = 1
  if messages[place] == 0 then
    n = messages[place + 1]
    place = place + 2
  elseif messages[place] == '' then
    n = messages[place + 1]
    place = place + 4
  end
  for i = 0, n - 1 do ids[#ids + 1] = messages[place + 2 * i] end
  place = place + 2 * n
end
local fresh, noted, conflict, conflicts = {}, {}, {}, 0
for from = 1, #ids, CHUNK do
  local to = math.min(from + CHUNK - 1, #ids)
  local in_seen = redis.call('SMISMEMBER', seen, unpack(ids, from, to))
  local in_before = redis.call('SMISMEMBER', before, unpack(ids, from, to))
  local new = {}
  for i = from, to do
    local id = ids[i]
    if in_seen[i - from + 1] == 0 and in_before[i - from + 1] == 0 and not noted[id] then
      local plain = unique and repeats_id(id)
      if keyed < KEYED and not unique and repeats_of_previous_version({seen, before}, id) then
        noted[id], new[#new + 1] = true, id
      elseif plain and (noted[plain] or redis.call('SISMEMBER', seen, plain) + redis.call('SISMEMBER', before, plain) > 0) then
        conflict[i], conflicts = true, conflicts + 1
      else
        noted[id], fresh[i], new[#new + 1] = true, true, id
        if plain then noted[plain], new[#new + 1] = true, plain end
      end
    end
  end
  if #new > 0 then redis.call('SADD', seen, unpack(new)) end
end

local accepted, number, oldest, appended, waiting = 0, 0, nil, 0, 0
local again = {}                                     -- repeats by device
local function repeats(device_json, from, to)        -- of the readings `from` to `to`, which are of one message
  local device
  for i = from, to do
    if not fresh[i] and not conflict[i] then
      device = device or string.match(device_json, '^{"device_id":"([^"\\]*)"') or cjson.decode(device_json)['device_id']
      again[device] = (again[device] or 0) + 1
    end
  end
end
local packed, holds, asked, message_number, group = {}, 0, {}, 0, 0
local function add(json)                              -- an entry of the messages in `packed`, or of `json`
  json = json or '[' .. table.concat(packed, ',') .. ']'
  local id, request_bytes = waiting_add(readings, requests, features, json, holds, asked)
  oldest, appended, waiting = oldest or id, appended + #json, waiting + #json + request_bytes
  packed, holds, asked = {}, 0, {}
end
local function ask(position)                          -- of the message in its entry, from 0
  if asks[message_number] then asked[#asked + 1], asked[#asked + 2] = position, asks[message_number] end
end
local function put(message, kept)                     -- a message with `kept` readings that are no repeats
  packed[#packed + 1] = message
  ask(#packed - 1)
  holds, accepted = holds + kept, accepted + kept
  if holds >= pack then add() end
end
local function single(known, json)
  number, message_number = number + 1, message_number + 1
  if fresh[number] then return put(json, 1) end
  repeats(json, number, number)
  if not conflict[number] then repeats_label({KEYS[11], KEYS[12]}, ledger, known, json) end
end
place = 1
while messages[place] do
  if messages[place] == 0 then
    local n, json = messages[place + 1], groups[group + 1]
    local whole = holds == 0 or 2 * n >= pack
    for i = 1, n do whole = whole and fresh[number + i] end
    if whole then
      if holds > 0 then add() end
      if next(asks) then
        for i = 1, n do message_number = message_number + 1; ask(i - 1) end
      end
      number, holds, accepted = number + n, n, accepted + n
      add(json)
    else
      local from = 2                                  -- after the bracket
      for i = 1, n do
        local length = messages[place + 2 * i + 1]
        single(messages[place + 2 * i], string.sub(json, from, from + length - 1))
        from = from + length + 1
      end
    end
    group, place = group + 1, place + 2 + 2 * n
  elseif messages[place] ~= '' then
    single(messages[place], messages[place + 1])
    place = place + 2
  else
    local n, head, tail, parts = messages[place + 1], messages[place + 2], messages[place + 3], {}
    message_number, place = message_number + 1, place + 4
    for i = 0, n - 1 do
      if fresh[number + i + 1] then
        parts[#parts + 1] = messages[place + 2 * i + 1]
      elseif not conflict[number + i + 1] then
        repeats_label({KEYS[11], KEYS[12]}, ledger, messages[place + 2 * i], messages[place + 2 * i + 1])
      end
    end
    if #parts < n then repeats(head .. tail, number + 1, number + n) end
    number, place = number + n, place + 2 * n
    if #parts > 0 then put(head .. table.concat(parts, ',') .. tail, #parts) end
  end
end
local repeated = number - accepted - conflicts
if holds > 0 then add() end
if redis.call('SCARD', seen) >= window then   -- the full set is kept, the older one is emptied and used next
  redis.call('UNLINK', before)                         -- DEL would block Redis for a tenth of a second
  redis.call('HSET', ledger, 'seen', 2 - current, 'keyed', math.min(KEYED, keyed + 1))   -- 0: seen:0 is current, 1: seen:1
end

local quarantined, discarded, full, refused_of = 0, 0, 0, {}
for _ = 1, tonumber(take()) do
  local count = tonumber(take())
  local topic, reason, payload, length, digest, received_at = take(), take(), take(), take(), take(), take()
  local share = quarantine_add(quarantine, 'refused', count, topic, reason, payload, length, digest, received_at, '', take(), take(), take())
  refused_of[share] = true
  quarantined = quarantined + count
end
for i = 1, conflicts > 0 and number or 0 do
  if conflict[i] then
    local topic, reason, payload, digest, received_at = unpack(unique, 5 * i - 4, 5 * i)
    quarantine_add(quarantine, 'refused', 1, topic, reason, payload, #payload, digest, received_at, features, '', '', '')
  end
end
quarantined = quarantined + conflicts
if quarantined > 0 then
  discarded, full = quarantine_bound(quarantine, keep_q, keep_q_bytes, keep_q_s * 1000, now)
end

local heard, counts, earlier = {}, {}, {}
for i = 1, tonumber(take()) do
  local device, count, due, numbers, key = take(), take(), take(), take(), KEYS[12 + i]
  counts[device] = tonumber(count)
  earlier[device] = redis.call('HINCRBY', key, 'readings', count) - counts[device]
  if earlier[device] == 0 then due = '1' end            -- new, or forgotten since
  if numbers ~= '' then sequence_follow(key, device, ledger, KEYS[8], cmsgpack.unpack(numbers), fresh) end
  if due == '1' then
    if redis.call('TTL', key) < keep_devices then redis.call('EXPIRE', key, math.ceil(keep_devices * 1.1)) end
    local last = redis.call('ZSCORE', KEYS[6], device)
    if last and count ~= '0' then alarms_gap(key, now - tonumber(last)) end
    if not last then devices_expect(KEYS[6], device, now) end
    if not last or count ~= '0' then heard[#heard + 1], heard[#heard + 2] = now, device end   -- refused readings are not heard
  end
end
for from = 1, #heard, CHUNK do
  redis.call('ZADD', KEYS[6], unpack(heard, from, math.min(from + CHUNK - 1, #heard)))
end
for device in pairs(refused_of) do devices_refused(KEYS[6], device, now, most_devices) end
local repeating = repeats_follow(KEYS[10], counts, again, earlier, keep_devices)
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
trim(readings, marks, ledger, total, keep, bytes, keep_bytes)

redis.call('HSET', ledger, 'batch:' .. writer, token .. ' ' .. accepted .. ' ' .. repeated)
return answer(accepted, repeated, discarded, full, forgotten, conflicts, repeating)
