-- Adds, removes and limits entries of the quarantine, and their bytes in the ledger.
-- A share is everything stored for one device; messages without a device are the share ''. Above a limit, the oldest entry
-- of the largest share is discarded, so that a device that floods the quarantine only discards its own messages. The number
-- of shares is limited (MOST_SHARES); messages of further devices go to the share '' too, so that a flood of invented
-- devices only discards itself. Keys beside the stream:
--   -index    hash, id → "bytes share"                 -order    sorted set of "share \31 id", by text: a share's oldest
--   -entries  sorted set, share → its entries          -bytes    sorted set, share → its bytes

-- `before` and `after` are the text around the device's name in a topic; `most` is the maximum number of entries.
local function quarantine_open(stream, ledger, before, after, most)
  local MOST_SHARES = math.max(10, math.floor((most or 0) / 20))
  return {stream = stream, ledger = ledger, before = before, after = after, most_shares = MOST_SHARES, index = stream .. '-index',
    order = stream .. '-order', entries = stream .. '-entries', bytes = stream .. '-bytes'}
end

local function quarantine_share(q, topic, device)
  local name, fits = device, true
  if not device or device == '' then
    name = string.sub(topic, #q.before + 1, #topic - #q.after)
    fits = #name > 0 and #topic == #q.before + #name + #q.after and string.sub(topic, 1, #q.before) == q.before
      and string.sub(topic, #topic - #q.after + 1) == q.after and not string.find(name, '/', 1, true)
  end
  if not fits or #name > 512 or string.find(name, '%c') or select(2, string.gsub(name, '[^\128-\191]', '')) > 128 then
    return ''
  end
  if redis.call('ZCARD', q.entries) >= q.most_shares and not redis.call('ZSCORE', q.entries, name) then return '' end
  return name                                        -- up to 128 characters of UTF-8
end

local function quarantine_place(share, id)           -- text that sorts like the ids
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return share .. '\31' .. string.rep('0', 15 - #ms) .. ms .. '-' .. string.rep('0', 20 - #seq) .. seq
end

local function quarantine_size(fields)
  return #(fields['topic'] or '') + #(fields['reason'] or '') + #(fields['payload'] or '') + #(fields['digest'] or '')
    + #(fields['features'] or '') + #(fields['profile'] or '') + #(fields['device'] or '')
end

local function quarantine_note(q, id, size, share)
  redis.call('HSET', q.index, id, size .. ' ' .. share)
  redis.call('ZADD', q.order, 0, quarantine_place(share, id))
  redis.call('ZINCRBY', q.entries, 1, share)
  redis.call('ZINCRBY', q.bytes, size, share)
end

-- Returns the share.
local function quarantine_add(q, kind, count, topic, reason, payload, length, digest, received_at, features, profile, device, retained, entry)
  local fields = {'kind', kind, 'topic', topic, 'reason', reason, 'payload', payload, 'length', length, 'digest', digest,
    'received_at', received_at, 'features', features, 'n', count}
  for name, value in pairs({profile = profile, device = device, retained = retained, entry = entry or ''}) do
    if value ~= '' then fields[#fields + 1], fields[#fields + 2] = name, value end
  end
  local id = redis.call('XADD', q.stream, '*', unpack(fields))
  local size = #topic + #reason + #payload + #digest + #features + #profile + #device
  redis.call('HINCRBY', q.ledger, 'quarantine_bytes', size)
  local share = quarantine_share(q, topic, device)
  quarantine_note(q, id, size, share)
  return share
end

-- Removes an entry; returns its fields, or nil if it does not exist.
local function quarantine_take(q, id)
  local found, noted = redis.call('XRANGE', q.stream, id, id)[1], redis.call('HGET', q.index, id)
  local size, fields = 0, nil
  if found then
    redis.call('XDEL', q.stream, id)
    fields = {}
    for i = 1, #found[2], 2 do fields[found[2][i]] = found[2][i + 1] end
    size = #fields['payload']                        -- as counted by the previous version, until it is recorded
  end
  if noted then
    local share
    size, share = string.match(noted, '^(%d+) (.*)$')
    redis.call('HDEL', q.index, id)
    redis.call('ZREM', q.order, quarantine_place(share, id))
    if tonumber(redis.call('ZINCRBY', q.entries, -1, share)) <= 0 then
      redis.call('ZREM', q.entries, share)
      redis.call('ZREM', q.bytes, share)
    else
      redis.call('ZINCRBY', q.bytes, -size, share)
    end
  end
  redis.call('HINCRBY', q.ledger, 'quarantine_bytes', string.format('%d', -size))  -- never -0
  return fields
end

-- The oldest entry of the largest share, by entries or by bytes; the oldest of all if no share is recorded.
local function quarantine_largest(q, by, oldest)
  local share = redis.call('ZREVRANGE', by, 0, 0)[1]
  local place = share and redis.call('ZRANGEBYLEX', q.order, '[' .. share .. '\31', '[' .. share .. '\31\255', 'LIMIT', 0, 1)[1]
  if not place then
    if share then redis.call('ZREM', by, share) end
    return oldest
  end
  local ms, seq = string.match(string.sub(place, #share + 2), '^0*(%d+)%-0*(%d+)$')
  local id = ms .. '-' .. seq
  if redis.call('HEXISTS', q.index, id) == 1 then return id end
  redis.call('ZREM', q.order, place)
  return oldest
end

-- Discards entries above the limits. Returns their number, and how full the quarantine is: percent of the nearest limit.
local function quarantine_bound(q, most, most_bytes, most_ms, now)
  local discarded, oldest = 0, nil
  while true do
    local length = redis.call('XLEN', q.stream)
    local bytes = tonumber(redis.call('HGET', q.ledger, 'quarantine_bytes') or 0)
    if not oldest then                               -- read once: it may be large
      local first = redis.call('XRANGE', q.stream, '-', '+', 'COUNT', 1)[1]
      oldest = first and first[1]
    end
    if not oldest then
      redis.call('HSET', q.ledger, 'quarantine_bytes', 0)
      redis.call('UNLINK', q.index, q.order, q.entries, q.bytes)
      return discarded, 0
    end
    local age, victim = now - tonumber(string.match(oldest, '^%d+')), nil
    if age > most_ms then victim = oldest
    elseif length > most then victim = quarantine_largest(q, q.entries, oldest)
    elseif bytes > most_bytes then victim = quarantine_largest(q, q.bytes, oldest)
    else
      if discarded > 0 then redis.call('HINCRBY', q.ledger, 'discarded', discarded) end
      return discarded, math.floor(100 * math.max(length / most, bytes / most_bytes, age / most_ms))
    end
    if victim == oldest then oldest = nil end
    if quarantine_take(q, victim) then discarded = discarded + 1 end
  end
end
