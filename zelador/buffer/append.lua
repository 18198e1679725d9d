-- Appends a batch in one atomic step: entries, quarantined messages, the ledger that counts them, the devices heard.
-- A batch has a token: a try whose answer was lost is recognised by it, answered as before, and changes nothing.
-- KEYS  1 readings  2 quarantine  3 ledger  4 seen:0  5 seen:1  6 devices   then one device hash for each device of ARGV
-- ARGV  1 group  2 repeat_window  3 keep_readings  4 keep_quarantine  5 keep_quarantine_bytes  6 keep_devices_s  7 now (ms)
--       8 features  9 writer  10 token of the batch
--       then the number of entries, and for each: device, head, tail, number of readings, and an (id, JSON) pair for each
--       then the number of quarantined messages, and for each: readings, then 7 values (see below)
--       then the number of devices, and for each: device, readings
-- An entry's JSON is head .. readings .. tail, so that a repeated reading can be left out of an array without parsing it.
-- Returns accepted, repeated, backlog (by the counters: for back-pressure, never for the ledger), discarded from quarantine.
local at = 0
local function take() at = at + 1; return ARGV[at] end
local group, window, keep, keep_q, keep_q_bytes, keep_devices, now, features, writer, token =
  take(), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take()),
  take(), take(), take()
local readings, quarantine, ledger = KEYS[1], KEYS[2], KEYS[3]

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

local accepted, repeated = 0, 0
for _ = 1, tonumber(take()) do
  local device, head, tail, kept = take(), take(), take(), {}
  for _ = 1, tonumber(take()) do
    local id, json = device .. '\31' .. take(), take()
    if redis.call('SISMEMBER', before, id) == 1 or redis.call('SADD', seen, id) == 0 then
      repeated = repeated + 1
    else
      kept[#kept + 1] = json
    end
  end
  if #kept > 0 then
    redis.call('XADD', readings, '*', 'd', head .. table.concat(kept, ',') .. tail, 'n', #kept, 'f', features)
    accepted = accepted + #kept
  end
end
if redis.call('SCARD', seen) >= window then   -- the fuller set rests, the older one is emptied and used next
  redis.call('DEL', before)
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

for i = 1, tonumber(take()) do
  local device, count = take(), take()
  redis.call('HSET', KEYS[6 + i], 'last_seen', now)
  redis.call('HINCRBY', KEYS[6 + i], 'readings', count)
  redis.call('EXPIRE', KEYS[6 + i], keep_devices)
  redis.call('ZADD', KEYS[6], now, device)
end
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now - keep_devices * 1000)

redis.call('HINCRBY', ledger, 'received', accepted + repeated + quarantined)
redis.call('HINCRBY', ledger, 'accepted', accepted)
redis.call('HINCRBY', ledger, 'repeated', repeated)
redis.call('HINCRBY', ledger, 'quarantined', quarantined)
local stored = redis.call('HINCRBY', ledger, 'kept', accepted)

-- Trim what every group has finished, beyond keep_readings. An entry that any group still needs is never touched.
if stored > keep then
  local floor
  local function lower(id)
    if not floor then floor = id; return end
    local ms, seq = string.match(id, '(%d+)-(%d+)')
    local fms, fseq = string.match(floor, '(%d+)-(%d+)')
    if tonumber(ms) < tonumber(fms) or (ms == fms and tonumber(seq) < tonumber(fseq)) then floor = id end
  end
  local groups = redis.call('XINFO', 'GROUPS', readings)
  for _, fields in ipairs(groups) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    local pending = redis.call('XPENDING', readings, info['name'])
    if pending[1] > 0 then lower(pending[2]) else lower(info['last-delivered-id']) end
  end
  if floor and floor ~= '0-0' then                 -- 0-0: a group that has not begun needs everything
    local cut
    for _, entry in ipairs(redis.call('XRANGE', readings, '-', '(' .. floor, 'COUNT', accepted + 64)) do
      local n = 1
      for i = 1, #entry[2], 2 do if entry[2][i] == 'n' then n = tonumber(entry[2][i + 1]) end end
      if stored - n < keep then break end
      stored = stored - n
      cut = entry[1]
    end
    if cut then
      local ms, seq = string.match(cut, '(%d+)-(%d+)')
      redis.call('XTRIM', readings, 'MINID', ms .. '-' .. string.format('%.0f', tonumber(seq) + 1))
      redis.call('HSET', ledger, 'kept', stored)
    end
  end
end

redis.call('HSET', ledger, 'batch:' .. writer, token .. ' ' .. accepted .. ' ' .. repeated)
return answer(accepted, repeated, discarded)
