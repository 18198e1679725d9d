-- Trims what every group has finished, beyond the readings that are kept. An entry that any group still needs is never touched.
-- A mark is "before this entry there were so many readings": what lies before one is trimmed by one call, without counting.

local function mark_parts(mark)
  local ms, seq, before_it = string.match(mark, '^(%d+)-(%d+) (%d+)$')
  return tonumber(ms), tonumber(seq), tonumber(before_it)
end

local function trim(readings, marks, total, keep)
  local second = redis.call('LINDEX', marks, 1)
  if not second or total - select(3, mark_parts(second)) < keep then return end
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
    local ms, seq, before_it = mark_parts(second)
    local finished = ms < floor_ms or (ms == floor_ms and seq <= floor_seq)
    if not finished or total - before_it < keep then break end
    cut = string.match(second, '^%S+')
    redis.call('LPOP', marks)
    second = redis.call('LINDEX', marks, 1)
  end
  if cut then redis.call('XTRIM', readings, 'MINID', cut) end
end
