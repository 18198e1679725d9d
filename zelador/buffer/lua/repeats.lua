-- Recognizes repeats, and devices that send little else. A reading's key is `device \31 id \31 content`, where content is 16 hex
-- digits of its time, sequence number and values; without content if its id is random. Long names are replaced by a digest.

-- The part of a reading's key without its content; nil if it has none.
local function repeats_id(known)
  local id = string.match(known, '^(.*)\31%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x$')
  return id
end

-- A previous version's keys were only ids. Its sets are used until they have been rotated away: `keyed` in the ledger counts the
-- rotations. A reading whose id is in them counts as a repeat once; then its full key is stored.
local KEYED = 2

local function repeats_of_previous_version(sets, known)
  local id = repeats_id(known)
  if not id then return false end
  local removed = redis.call('SREM', sets[1], id) + redis.call('SREM', sets[2], id)
  return removed > 0
end

-- The last 100 readings of each device that has repeats among them, as text of 0 and 1 (a repeat), oldest first.
-- `counts` has the number of readings of each device in this lot, `again` the repeats among them, `before` the number of readings
-- before this lot. Returns a device whose readings have become mostly repeats, or ''.
local function repeats_follow(windows, counts, again, before, keep_s)
  local LAST, LEAST, MOST_DEVICES, CHUNK = 100, 20, 1000, 1000
  if next(again) == nil and redis.call('EXISTS', windows) == 0 then return '' end
  local names, found = {}, ''
  for name in pairs(counts) do names[#names + 1] = name end
  for from = 1, #names, CHUNK do
    local to = math.min(from + CHUNK - 1, #names)
    local known = redis.call('HMGET', windows, unpack(names, from, to))
    for i = from, to do
      local name, old = names[i], known[i - from + 1] or nil
      local repeated = again[name] or 0
      if old or repeated > 0 then
        local earlier = old or string.rep('0', math.min(LAST, before[name]))
        local new = string.rep('0', math.min(LAST, counts[name] - repeated)) .. string.rep('1', math.min(LAST, repeated))
        local window = string.sub(earlier .. new, -LAST)
        local _, ones = string.gsub(window, '1', '')
        local _, ones_before = string.gsub(earlier, '1', '')
        if ones == 0 then
          redis.call('HDEL', windows, name)
        else
          if not old and redis.call('HLEN', windows) >= MOST_DEVICES then
            redis.call('HDEL', windows, redis.call('HRANDFIELD', windows))
          end
          redis.call('HSET', windows, name, window)
          local was = #earlier >= LEAST and 2 * ones_before > #earlier
          if #window >= LEAST and 2 * ones > #window and not was then found = name end
        end
      end
    end
  end
  redis.call('EXPIRE', windows, keep_s)
  return found
end

-- Stores the label of a repeat for the reading that came first. There are two hashes: when one is full, the other is
-- emptied and used next. `json` is the repeat's message or reading.
local function repeats_label(hashes, ledger, known, json)
  local MOST_BYTES, OVERHEAD = 8388608, 120           -- of each hash
  if not string.find(json, '"label":', 1, true) then return end
  local decoded, found = pcall(cjson.decode, json)
  if not decoded then return end
  local reading = found['readings'] and found['readings'][1] or found
  local label = reading['label']
  if type(label) ~= 'string' then return end
  local state = redis.call('HMGET', ledger, 'labels', 'labels_bytes')
  local current, bytes = state[1] == '1' and 2 or 1, tonumber(state[2] or 0)
  if redis.call('HSETNX', hashes[current], known, label) == 0 then return end   -- the first label stays
  bytes = bytes + #known + #label + OVERHEAD
  if bytes >= MOST_BYTES then
    redis.call('UNLINK', hashes[3 - current])
    redis.call('HSET', ledger, 'labels', 2 - current, 'labels_bytes', 0)
  else
    redis.call('HSET', ledger, 'labels_bytes', bytes)
  end
end
