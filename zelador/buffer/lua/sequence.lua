-- Finds the missing sequence numbers of a device: readings lost before they arrived, by the device or the broker.
-- With two ingesters, or after a redelivery, numbers arrive out of order: a gap stays open until its numbers arrive.

-- `pairs` is position, number, position, number …; the position of the reading in the batch tells whether it is a repeat;
-- 0 is a refused reading: it arrived, although it cannot be used.
local function sequence_follow(key, device, ledger, missed, pairs, fresh)
  local MOST_GAPS, REORDERED, JUMP, MOST_MISSED = 32, 1000, 1000000, 1000
  local known = redis.call('HMGET', key, 'seq', 'gaps', 'missing', 'restarts')
  local last, missing, restarts = tonumber(known[1]), tonumber(known[3] or 0), tonumber(known[4] or 0)
  local gaps, before = {}, missing
  for from, to in string.gmatch(known[2] or '', '(%d+)-(%d+)') do gaps[#gaps + 1] = {tonumber(from), tonumber(to)} end
  local function late(seq)                            -- whether the number closes a gap, or a part of one
    for i, gap in ipairs(gaps) do
      if seq >= gap[1] and seq <= gap[2] then
        missing = missing - 1
        table.remove(gaps, i)
        if seq < gap[2] then table.insert(gaps, i, {seq + 1, gap[2]}) end
        if seq > gap[1] then table.insert(gaps, i, {gap[1], seq - 1}) end
        return true
      end
    end
    return false
  end
  local only_next = true                              -- nearly always true: then nothing else has changed
  for i = 1, #pairs, 2 do
    local place, seq = pairs[i], pairs[i + 1]
    if place == 0 or fresh[place] then
      if last and seq ~= last + 1 then only_next = false end
      if not last or seq == last + 1 then
        last = seq
      elseif seq > last and seq - last <= JUMP then
        missing = missing + seq - last - 1
        gaps[#gaps + 1] = {last + 1, seq - 1}
        last = seq
      elseif seq > last or (not late(seq) and place > 0 and (seq <= 1 and last > seq or last - seq >= REORDERED)) then
        last, gaps, restarts = seq, {}, restarts + 1  -- the sequence restarts: missing numbers stay missing
      end
    end
  end
  if not last then return end
  if only_next then redis.call('HSET', key, 'seq', string.format('%.0f', last)); return end
  local open = {}
  for i = math.max(1, #gaps - MOST_GAPS + 1), #gaps do
    open[#open + 1] = string.format('%.0f-%.0f', gaps[i][1], gaps[i][2])
  end
  redis.call('HSET', key, 'seq', string.format('%.0f', last), 'gaps', table.concat(open, ','),
    'missing', string.format('%.0f', missing), 'restarts', restarts)
  if missing == before then return end
  redis.call('HINCRBY', ledger, 'missing', string.format('%.0f', missing - before))
  if missing == 0 then redis.call('ZREM', missed, device) else redis.call('ZADD', missed, missing, device) end
  redis.call('ZREMRANGEBYRANK', missed, 0, -MOST_MISSED - 1)
end
