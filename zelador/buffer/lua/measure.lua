-- Counts the bytes of existing data, in limited steps: after an upgrade (the previous version had no such sums, and marks
-- without bytes), and again when the sums are in doubt. It goes from the newest entry of the stream to the oldest. Entries
-- appended in the meantime are counted by append.lua; settled ones are subtracted if they were counted here (waiting.lua).
-- KEYS  1 readings  2 ledger  3 marks  4 quarantine  5 requests
-- ARGV  1 group  2 '1' to begin again, else ''  3, 4 the text before and after the device in a topic  5 keep_quarantine
-- Returns 1 while there is more to count, else 0.
local readings, ledger, marks, requests, group = KEYS[1], KEYS[2], KEYS[3], KEYS[5], ARGV[1]
local quarantine = quarantine_open(KEYS[4], ledger, ARGV[3], ARGV[4], tonumber(ARGV[5]))
local ENTRIES, BYTES, READ = 1000, 4194304, 50       -- of one step; of one read

local state = redis.call('HMGET', ledger, 'measured', 'scan', 'scan_quarantine', 'appended_bytes')
local measured, scan, scan_quarantine, appended = state[1], state[2], state[3], tonumber(state[4] or 0)
if not scan and not scan_quarantine and (not measured or ARGV[2] == '1') then
  local newest = redis.call('XREVRANGE', readings, '+', '-', 'COUNT', 1)[1]
  local ms, seq = string.match(newest and newest[1] or '0-0', '(%d+)-(%d+)')
  scan, scan_quarantine = string.format('%s-%.0f %.0f 0', ms, seq + 1, appended), '0-0'
  redis.call('HSET', ledger, 'waiting_bytes', 0, 'scan', scan, 'scan_quarantine', scan_quarantine)
end

-- Entries that the group has not finished: after the last one delivered, or pending.
local function delivered()
  if redis.call('EXISTS', readings) == 0 then return 0, 0 end
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', readings)) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    if info['name'] == group then
      local ms, seq = string.match(info['last-delivered-id'], '(%d+)-(%d+)')
      return tonumber(ms), tonumber(seq), true
    end
  end
  return 0, 0
end

if scan then
  local cursor, origin, counted = string.match(scan, '^(%S+) (-?%d+) (%d+)$')
  local last_ms, last_seq, grouped = delivered()
  local unmarked, looked, size_of_step, waiting, more = {}, 0, 0, 0, true
  for i, mark in ipairs(redis.call('LRANGE', marks, 0, -1)) do
    if not select(4, mark_parts(mark)) then unmarked[string.match(mark, '^%S+')] = i - 1 end
  end
  counted = tonumber(counted)
  while more and looked < ENTRIES and size_of_step < BYTES do
    local entries, pending = redis.call('XREVRANGE', readings, '(' .. cursor, '-', 'COUNT', READ), {}
    if grouped and #entries > 0 then
      for _, each in ipairs(redis.call('XPENDING', readings, group, entries[#entries][1], entries[1][1], #entries)) do
        pending[each[1]] = true
      end
    end
    for _, entry in ipairs(entries) do
      local size, asked = waiting_size(entry[2])
      local ms, seq = string.match(entry[1], '(%d+)-(%d+)')
      ms, seq, cursor = tonumber(ms), tonumber(seq), entry[1]
      counted, size_of_step = counted + size, size_of_step + size
      if pending[cursor] or ms > last_ms or (ms == last_ms and seq > last_seq) then
        if asked then size = size + redis.call('HSTRLEN', requests, cursor) end
        waiting = waiting + size
      end
      if unmarked[cursor] then
        local _, _, before_it = mark_parts(redis.call('LINDEX', marks, unmarked[cursor]))
        redis.call('LSET', marks, unmarked[cursor], mark_text(cursor, before_it, origin - counted))
      end
    end
    looked, more = looked + #entries, #entries == READ
  end
  redis.call('HINCRBY', ledger, 'waiting_bytes', waiting)
  if more then
    redis.call('HSET', ledger, 'scan', string.format('%s %s %.0f', cursor, origin, counted))
    return 1
  end
  for _, mark in ipairs(redis.call('LRANGE', marks, 0, -1)) do       -- its entry no longer exists
    if not select(4, mark_parts(mark)) then redis.call('LREM', marks, 1, mark) end
  end
  redis.call('HDEL', ledger, 'scan')
end

if scan_quarantine then
  local cursor, looked, size_of_step, more = scan_quarantine, 0, 0, true
  while more and looked < ENTRIES and size_of_step < BYTES do
    local entries = redis.call('XRANGE', quarantine.stream, '(' .. cursor, '+', 'COUNT', READ)
    for _, entry in ipairs(entries) do
      local fields = {}
      for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
      local size = quarantine_size(fields)
      cursor, size_of_step = entry[1], size_of_step + size
      if redis.call('HEXISTS', quarantine.index, cursor) == 0 then
        redis.call('HINCRBY', ledger, 'quarantine_bytes', size - #fields['payload'])   -- that was counted when it was added
        quarantine_note(quarantine, cursor, size, quarantine_share(quarantine, fields['topic'] or '', fields['device']))
      end
    end
    looked, more = looked + #entries, #entries == READ
  end
  if more then
    redis.call('HSET', ledger, 'scan_quarantine', cursor)
    return 1
  end
  redis.call('HDEL', ledger, 'scan_quarantine')
end
redis.call('HSET', ledger, 'measured', 1)
return 0
