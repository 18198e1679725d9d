-- The archive's place in the stream: a consumer group whose last delivered id is the last entry that is archived. Nothing is
-- ever pending in it. In the ledger's hash, while the group exists:
--   archive_hold    bytes of the newest readings that are not trimmed before they are archived; present if an archive is registered
--   archive_base    readings that had left the stream before the archive began; they are not its to archive
--   archived        readings that were written to the archive
--   archive_missed  readings that were trimmed before that, or could not be read
--   archive_at      the last entry of the last call of archive_done
--   archive_cut     "from to": entries after `from`, up to `to`, were trimmed and counted as missed since then
--   outcomes_bytes, outcomes_missed    bytes in the stream `outcomes`, and predictions that did not fit
local ARCHIVE = 'archive'

local function archive_parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)')
  return tonumber(ms), tonumber(seq)
end

-- True if all entries before the mark or id `before` are archived. `at` is the last archived entry.
local function archive_has(at, before)
  local ms, seq = archive_parts(before)
  local at_ms, at_seq = archive_parts(at)
  return ms < at_ms or (ms == at_ms and seq <= at_seq)
end

local function archive_at(readings)                  -- the last entry that is archived; nil without an archive
  if redis.call('EXISTS', readings) == 0 then return nil end
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', readings)) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    if info['name'] == ARCHIVE then return info['last-delivered-id'] end
  end
end

-- The number of readings after the entry `from`, up to but not including `to` ('+': all); the oldest and the last of these entries.
-- A replayed reading ('!') is not counted: the archive has it, or it was counted as missed. With `most`, returns nil instead of the number
-- if there are more entries: reading a million of them takes a second, during which Redis does nothing else.
local function archive_count(readings, from, to, most)
  local n, oldest, last, step, seen = 0, nil, from, 1000, 0
  if redis.call('EXISTS', readings) == 0 then return 0, nil, from end
  if to ~= '+' then to = '(' .. to end
  while true do
    local entries = redis.call('XRANGE', readings, '(' .. last, to, 'COUNT', step)
    for _, entry in ipairs(entries) do
      local many = 1
      for i = 3, #entry[2], 2 do
        if entry[2][i] == '#' then many = tonumber(entry[2][i + 1]) elseif entry[2][i] == '!' then many = 0 end
      end
      n, oldest = n + many, oldest or entry[1]
    end
    if #entries > 0 then last = entries[#entries][1] end
    if #entries < step then return n, oldest, last end
    seen = seen + step
    if most and seen >= most then return nil, oldest, last end
  end
end

local function archive_miss(readings, ledger, at, cut)
  local n, _, last = archive_count(readings, at, cut)
  if last == at then return end
  local before = redis.call('HGET', ledger, 'archive_cut')
  local from, to = string.match(before or '', '^(%S+) (%S+)$')
  redis.call('HSET', ledger, 'archive_cut', (to == at and from or at) .. ' ' .. last)
  redis.call('HINCRBY', ledger, 'archive_missed', n)
  redis.call('XGROUP', 'SETID', readings, ARCHIVE, last)
end
