-- Appends a batch in one atomic step: entries, quarantined messages, the ledger that counts them, the devices heard.
-- A batch has a token: a try whose answer was lost is recognised by it, answered as before, and changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 seen:0  5 seen:1  6 devices  7 marks   then one device hash for each device of ARGV
-- ARGV  1 group  2 repeat_window  3 keep_readings  4 keep_quarantine  5 keep_quarantine_bytes  6 keep_devices_s  7 now (ms)
--       8 features  9 writer  10 token of the batch  11 pack
--       12 the messages, as one flat MessagePack array (an argument for each would cost more than what is done with it); of each:
--         the id of its one reading and its JSON; or '', the number of its readings, head, tail, and an (id, JSON) pair for each
--         (it is head .. readings .. tail: a repeat is left out unparsed)
--       then the number of quarantined messages, and for each: readings, then 7 values (see below)
--       then the number of devices, and for each: device, readings, 1 if it was not noted as heard within the last second, else 0
-- An entry of the stream holds messages that came together, up to `pack` readings and the rest of its last message: a JSON
-- array in a field named by the features, and '#' with the number of its readings if these are more than one.
-- Returns accepted, repeated, backlog (by the counters: for back-pressure, never for the ledger), discarded from quarantine.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, window, keep, keep_q, keep_q_bytes, keep_devices, now, features, writer, token, pack =
  take(), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()),
  take(), take(), take(), tonumber(take())
local readings, quarantine, ledger, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[7]
local CHUNK = 1000                                   -- Lua hands a call no more than some 8,000 arguments

local function answer(accepted, repeated, discarded)
  local sums = redis.call('HMGET', ledger, 'accepted', 'classified', 'set_aside')
  for i = 1, 3 do sums[i] = tonumber(sums[i] or 0) end
  return {accepted, repeated, sums[1] - sums[2] - sums[3], discarded}
end

local last = redis.call('HGET', ledger, 'batch:' .. writer)
if last then
  local before_token, before_accepted, before_repeated = string.match(last, '^(%S+) (%d+) (%d+)$')
  if before_token == token then return answer(tonumber(before_accepted), tonumber(before_repeated), 0) end
end

local current = redis.call('HGET', ledger, 'seen') == '1' and 2 or 1
local seen, before = KEYS[3 + current], KEYS[6 - current]   -- current is 1 or 2

-- Which ids are new: asked for and noted in a few calls, however many there are.
local messages, ids, place = cmsgpack.unpack(take()), {}, 1
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

local accepted, repeated, number, oldest = 0, 0, 0, nil
local packed, holds = {}, 0
local function add()
  local id
  local json = '[' .. table.concat(packed, ',') .. ']'
  if holds == 1 then id = redis.call('XADD', readings, '*', features, json)
  else id = redis.call('XADD', readings, '*', features, json, '#', holds) end
  oldest = oldest or id
  packed, holds = {}, 0
end
place = 1
while messages[place] do
  local n, kept, message = 1, 0, nil
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
    holds, accepted = holds + kept, accepted + kept
    if holds >= pack then add() end
  end
  repeated = repeated + n - kept
end
if holds > 0 then add() end
if redis.call('SCARD', seen) >= window then   -- the fuller set rests, the older one is emptied and used next
  redis.call('UNLINK', before)                         -- DEL would hold everything up for a tenth of a second
  redis.call('HSET', ledger, 'seen', 2 - current)      -- 0: seen:0 is the current one, 1: seen:1
end

local quarantined, discarded = 0, 0
for _ = 1, tonumber(take()) do
  local count = tonumber(take())
  local kind, topic, reason, payload, length, digest, received_at = take(), take(), take(), take(), take(), take(), take()
  redis.call('XADD', quarantine, '*', 'kind', kind, 'topic', topic, 'reason', reason, 'payload', payload, 'length', length,
    'digest', digest, 'received_at', received_at, 'n', count)
  redis.call('HINCRBY', ledger, 'quarantine_bytes', #payload)
  quarantined = quarantined + count
end
if quarantined > 0 then
  local bytes = tonumber(redis.call('HGET', ledger, 'quarantine_bytes') or 0)
  local length = redis.call('XLEN', quarantine)
  while length > keep_q or bytes > keep_q_bytes do
    local oldest = redis.call('XRANGE', quarantine, '-', '+', 'COUNT', 1)[1]
    if not oldest then bytes = 0; break end
    for i = 1, #oldest[2], 2 do
      if oldest[2][i] == 'payload' then bytes = bytes - #oldest[2][i + 1] end
    end
    redis.call('XDEL', quarantine, oldest[1])
    length = length - 1
    discarded = discarded + 1
  end
  redis.call('HSET', ledger, 'quarantine_bytes', bytes)
end

local heard = {}
for i = 1, tonumber(take()) do
  local device, count, anew, key = take(), take(), take(), KEYS[7 + i]
  redis.call('HINCRBY', key, 'readings', count)
  if anew == '1' then
    if redis.call('TTL', key) < keep_devices then redis.call('EXPIRE', key, math.ceil(keep_devices * 1.1)) end
    heard[#heard + 1], heard[#heard + 2] = now, device
  end
end
for from = 1, #heard, CHUNK do
  redis.call('ZADD', KEYS[6], unpack(heard, from, math.min(from + CHUNK - 1, #heard)))
end
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now - keep_devices * 1000)

redis.call('HINCRBY', ledger, 'received', accepted + repeated + quarantined)
local total = redis.call('HINCRBY', ledger, 'accepted', accepted)
redis.call('HINCRBY', ledger, 'repeated', repeated)
redis.call('HINCRBY', ledger, 'quarantined', quarantined)

-- A mark is "before this entry there were so many readings": what lies before a mark is trimmed by one call, without counting.
local function parse(mark)
  local ms, seq, before_it = string.match(mark, '^(%d+)-(%d+) (%d+)$')
  return tonumber(ms), tonumber(seq), tonumber(before_it)
end
if oldest then
  local newest = redis.call('LINDEX', marks, -1)
  local _, _, counted = parse(newest or '0-0 0')
  if not newest or total - accepted - counted >= keep / 200 then
    redis.call('RPUSH', marks, oldest .. ' ' .. string.format('%.0f', total - accepted))
  end
end

-- Trim what every group has finished, beyond keep_readings. An entry that any group still needs is never touched.
local second = redis.call('LINDEX', marks, 1)
if second and total - select(3, parse(second)) >= keep then
  local floor_ms, floor_seq
  local function lower(id)
    local ms, seq = string.match(id, '(%d+)-(%d+)')
    ms, seq = tonumber(ms), tonumber(seq)
    if not floor_ms or ms < floor_ms or (ms == floor_ms and seq < floor_seq) then floor_ms, floor_seq = ms, seq end
  end
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', readings)) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    local pending = redis.call('XPENDING', readings, info['name'])
    if pending[1] > 0 then lower(pending[2]) else lower(info['last-delivered-id']) end
  end
  local cut
  while floor_ms and second do                       -- no group at all: nobody has finished anything
    local ms, seq, before_it = parse(second)
    local finished = ms < floor_ms or (ms == floor_ms and seq <= floor_seq)
    if not finished or total - before_it < keep then break end
    cut = string.match(second, '^%S+')
    redis.call('LPOP', marks)
    second = redis.call('LINDEX', marks, 1)
  end
  if cut then redis.call('XTRIM', readings, 'MINID', cut) end
end

redis.call('HSET', ledger, 'batch:' .. writer, token .. ' ' .. accepted .. ' ' .. repeated)
return answer(accepted, repeated, discarded)
