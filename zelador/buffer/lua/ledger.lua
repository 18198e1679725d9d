-- The ledger at one moment. `waiting` is counted by iterating over unfinished entries (not delivered yet, and
-- pending), so that a lost entry shows as unaccounted.
-- KEYS  1 readings  2 ledger  3 quarantine  4 devices      ARGV  1 group
-- Returns received, accepted, quarantined, repeated, classified, set_aside, missing (sequence numbers that never arrived),
-- discarded, waiting, messages in quarantine, their bytes; then in ms since 1970, 0 if there is none: the oldest waiting
-- entry, the last settlement, the oldest message in quarantine, now; then the waiting bytes, known devices, and devices
-- forgotten because there were too many. If an archive is registered (archive.lua), then also: readings archived, waiting for the
-- archive, missed, and trimmed before it began; the oldest entry that waits for it, in ms; bytes of outcomes that wait for it, and
-- predictions that it missed.
local oldest
local function count(entries)
  local n = 0
  for _, entry in ipairs(entries) do
    local many = 1
    for i = 1, #entry[2], 2 do
      if entry[2][i] == '#' then many = tonumber(entry[2][i + 1]) end
    end
    n = n + many
    oldest = oldest or entry[1]
  end
  return n
end
local waiting, last, step = 0, '0-0', 1000
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    if info['name'] == ARGV[1] then
      last = info['last-delivered-id']
      local from = '-'
      while true do
        local pending = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', step)
        for _, p in ipairs(pending) do waiting = waiting + count(redis.call('XRANGE', KEYS[1], p[1], p[1])) end
        if #pending < step then break end
        from = '(' .. pending[#pending][1]
      end
    end
  end
  while true do
    local entries = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', step)
    waiting = waiting + count(entries)
    if #entries < step then break end
    last = entries[#entries][1]
  end
end
local counted = redis.call('HMGET', KEYS[2], 'received', 'accepted', 'quarantined', 'repeated', 'classified', 'set_aside',
  'missing', 'discarded', 'quarantine_bytes', 'settled_at', 'waiting_bytes', 'devices_forgotten')
for i = 1, 12 do counted[i] = tonumber(counted[i] or 0) end
local function ms(id) return id and tonumber(string.match(id, '^%d+')) or 0 end
local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
local time = redis.call('TIME')
local answer = {counted[1], counted[2], counted[3], counted[4], counted[5], counted[6], counted[7], counted[8], waiting,
  redis.call('XLEN', KEYS[3]), counted[9], ms(oldest), counted[10], ms(first and first[1]),
  time[1] * 1000 + math.floor(time[2] / 1000),
  counted[11], redis.call('ZCARD', KEYS[4]), counted[12]}
local at = archive_at(KEYS[1])
if at then
  local n, first_waiting = archive_count(KEYS[1], at, '+', 100000)
  local archive = redis.call('HMGET', KEYS[2], 'archived', 'archive_missed', 'archive_base', 'outcomes_bytes', 'outcomes_missed')
  for i = 1, 5 do archive[i] = tonumber(archive[i] or 0) end
  n = n or counted[2] - archive[1] - archive[2] - archive[3]          -- too many to count
  for _, value in ipairs({archive[1], n, archive[2], archive[3], ms(first_waiting), archive[4], archive[5]}) do
    answer[#answer + 1] = value
  end
end
return answer
