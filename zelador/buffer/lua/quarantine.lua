-- What cannot be used is kept: entries of the quarantine, their bytes in the ledger, and the bounds of both.

local function quarantine_add(quarantine, ledger, kind, count, topic, reason, payload, length, digest, received_at, features)
  redis.call('XADD', quarantine, '*', 'kind', kind, 'topic', topic, 'reason', reason, 'payload', payload, 'length', length,
    'digest', digest, 'received_at', received_at, 'features', features, 'n', count)
  redis.call('HINCRBY', ledger, 'quarantine_bytes', #payload)
end

-- Takes an entry out; gives its fields, or nil where it is gone.
local function quarantine_take(quarantine, ledger, id)
  local found = redis.call('XRANGE', quarantine, id, id)[1]
  if not found then return nil end
  redis.call('XDEL', quarantine, id)
  local fields = {}
  for i = 1, #found[2], 2 do fields[found[2][i]] = found[2][i + 1] end
  redis.call('HINCRBY', ledger, 'quarantine_bytes', string.format('%d', -#fields['payload']))  -- never -0
  return fields
end

-- Discards the oldest beyond the bounds. Gives how many, and how full it is now: percent of the nearest bound.
local function quarantine_bound(quarantine, ledger, most, most_bytes, most_ms, now)
  local discarded = 0
  while true do
    local length = redis.call('XLEN', quarantine)
    local bytes = tonumber(redis.call('HGET', ledger, 'quarantine_bytes') or 0)
    local oldest = redis.call('XRANGE', quarantine, '-', '+', 'COUNT', 1)[1]
    if not oldest then
      redis.call('HSET', ledger, 'quarantine_bytes', 0)
      return discarded, 0
    end
    local age = now - tonumber(string.match(oldest[1], '^%d+'))
    if length <= most and bytes <= most_bytes and age <= most_ms then
      if discarded > 0 then redis.call('HINCRBY', ledger, 'discarded', discarded) end
      return discarded, math.floor(100 * math.max(length / most, bytes / most_bytes, age / most_ms))
    end
    quarantine_take(quarantine, ledger, oldest[1])
    discarded = discarded + 1
  end
end
