-- Trims entries that every consumer group has finished, down to the readings and bytes to keep. An entry that a worker still
-- needs is never removed. The archive is the exception: it holds back at most the newest `archive_hold` bytes (archive.lua), and
-- what is trimmed before it is archived is counted in `archive_missed`.
-- A mark records the number of readings and bytes before an entry. Everything before a mark is trimmed with one call, without
-- counting. Marks of the previous version have no bytes: until measure.lua adds them, only their readings count.

local function mark_parts(mark)
  local ms, seq, before_it, bytes = string.match(mark, '^(%d+)-(%d+) (%d+) ?(-?%d*)$')
  return tonumber(ms), tonumber(seq), tonumber(before_it), tonumber(bytes)
end

local function mark_text(id, before_it, bytes) return string.format('%s %.0f %.0f', id, before_it, bytes) end

-- True if everything before the mark can be trimmed, with `total` readings and `bytes` in all.
local function mark_is_past(mark, total, keep, bytes, keep_bytes)
  local _, _, before_it, bytes_before = mark_parts(mark)
  return total - before_it >= keep or bytes_before ~= nil and bytes - bytes_before >= keep_bytes
end

local function trim(readings, marks, ledger, total, keep, bytes, keep_bytes)
  local second = redis.call('LINDEX', marks, 1)
  if not second or not mark_is_past(second, total, keep, bytes, keep_bytes) then return end
  local floor_ms, floor_seq, archived
  local function lower(id)
    local ms, seq = string.match(id, '(%d+)-(%d+)')
    ms, seq = tonumber(ms), tonumber(seq)
    if not floor_ms or ms < floor_ms or (ms == floor_ms and seq < floor_seq) then floor_ms, floor_seq = ms, seq end
  end
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', readings)) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    if info['name'] == ARCHIVE then
      archived = info['last-delivered-id']
    else
      local pending = redis.call('XPENDING', readings, info['name'])
      if pending[1] > 0 then lower(pending[2]) else lower(info['last-delivered-id']) end
    end
  end
  local hold = archived and tonumber(redis.call('HGET', ledger, 'archive_hold') or '')
  local cut
  while floor_ms and second do                       -- no group: nothing is finished
    local ms, seq, _, bytes_before = mark_parts(second)
    local finished = ms < floor_ms or (ms == floor_ms and seq <= floor_seq)
    if archived and not archive_has(archived, second) then
      finished = finished and hold and bytes_before and bytes - bytes_before >= hold
    end
    if not finished or not mark_is_past(second, total, keep, bytes, keep_bytes) then break end
    cut = string.match(second, '^%S+')
    redis.call('LPOP', marks)
    second = redis.call('LINDEX', marks, 1)
  end
  if not cut then return end
  if archived and not archive_has(archived, cut) then archive_miss(readings, ledger, archived, cut) end
  redis.call('XTRIM', readings, 'MINID', cut)
end
