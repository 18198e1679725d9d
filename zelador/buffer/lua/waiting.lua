-- The waiting bytes in the ledger: an entry's JSON and the data of its requests. They are added when it is appended and
-- subtracted when it is settled. An entry that contains requests (response topic, correlation data) has a field '?', and
-- `requests` has their data under its id until it is settled.

-- Adds an entry. `asked` has its requests, {position of the message in the entry, request, position, request …}, or is empty.
-- `replayed` is the earlier place of a reading that was set aside ('<entry> <place>'): the archive may have the reading.
-- Returns its id and the bytes of the requests. '#' precedes '?', because a worker of the previous version reads the first.
local function waiting_add(readings, requests, features, json, holds, asked, replayed)
  if replayed then return redis.call('XADD', readings, '*', features, json, '#', holds, '!', replayed), 0 end
  if #asked == 0 then
    if holds == 1 then return redis.call('XADD', readings, '*', features, json), 0 end
    return redis.call('XADD', readings, '*', features, json, '#', holds), 0
  end
  local id = redis.call('XADD', readings, '*', features, json, '#', holds, '?', #asked / 2)
  local packed = {string.char(0xdc, math.floor(#asked / 256), #asked % 256)}     -- the header of a MessagePack array
  for i = 1, #asked, 2 do
    packed[#packed + 1] = cmsgpack.pack(asked[i])
    packed[#packed + 1] = asked[i + 1]
  end
  local value = table.concat(packed)
  redis.call('HSET', requests, id, value)
  return id, #value
end

local function waiting_size(fields)                 -- size of an entry's JSON, and whether it contains requests
  local asked = false
  for i = 3, #fields, 2 do asked = asked or fields[i] == '?' end
  return #fields[2], asked
end

-- True if `id` is older than the entries that measure.lua has counted; `scan` is its state in the ledger, or nil.
local function waiting_uncounted(id, scan)
  if not scan then return false end
  local ms, seq, to_ms, to_seq = string.match(id .. ' ' .. scan, '^(%d+)-(%d+) (%d+)-(%d+)')
  ms, seq, to_ms, to_seq = tonumber(ms), tonumber(seq), tonumber(to_ms), tonumber(to_seq)
  return ms < to_ms or (ms == to_ms and seq < to_seq)
end

-- The bytes freed by a settled entry. `size` is the size of its JSON, or -1 if the worker does not know it.
local function waiting_take(readings, requests, id, size, asked, scan)
  if size < 0 then
    local found = redis.call('XRANGE', readings, id, id)[1]
    size, asked = 0, true
    if found then size, asked = waiting_size(found[2]) end
  end
  if asked then
    size = size + redis.call('HSTRLEN', requests, id)
    redis.call('HDEL', requests, id)
  end
  return waiting_uncounted(id, scan) and 0 or size
end

-- Drops requests whose entry no longer exists (deleted, or settled by the previous version): a few at random.
local function waiting_sweep(readings, requests)
  for _, id in ipairs(redis.call('HRANDFIELD', requests, 10)) do
    if #redis.call('XRANGE', readings, id, id) == 0 then redis.call('HDEL', requests, id) end
  end
end
