-- The known devices: each has an entry in `devices` by the time of its last message, a hash, its newest prediction in `last-predictions`,
-- and perhaps an entry in `missing`.

local function devices_drop(devices, missing, names)
  if #names == 0 then return end
  local prefix, keys = string.sub(devices, 1, -2) .. ':', {}      -- {prefix}:devices → {prefix}:device:
  for i, name in ipairs(names) do keys[i] = prefix .. name end
  redis.call('UNLINK', unpack(keys))
  redis.call('ZREM', devices, unpack(names))
  redis.call('ZREM', missing, unpack(names))
  local base = string.sub(devices, 1, -8)                         -- {prefix}:
  redis.call('ZREM', base .. 'due', unpack(names))
  redis.call('HDEL', base .. 'last-predictions', unpack(names))
  for _, name in ipairs(names) do                                 -- a state that was published is removed from the broker
    if redis.call('HDEL', base .. 'states', name) == 1 then
      redis.call('HSET', base .. 'announce', name, 'gone')
      for _, state in ipairs({'ok', 'suspect', 'alarm', 'acknowledged', 'shelved', 'unknown', 'retired'}) do
        redis.call('ZREM', base .. 'states-' .. state, name)
      end
    end
  end
end

-- Stores the newest prediction of each device; `said` is device, prediction, device … One hash, as a call for each device would cost more.
-- A device that was forgotten since its message gets none.
local function devices_said(key, devices, said)
  for from = 1, #said, 2000 do
    local to = math.min(from + 1999, #said)
    if redis.call('HSET', key, unpack(said, from, to)) > 0 then
      local names, gone = {}, {}
      for i = from, to, 2 do names[#names + 1] = said[i] end
      for i, heard in ipairs(redis.call('ZMSCORE', devices, unpack(names))) do
        if not heard then gone[#gone + 1] = names[i] end
      end
      if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
    end
  end
end

-- Forgets devices that have been silent since `silent_since`, and, beyond `most` devices, those that have been silent longest;
-- a limited number at a time.
-- Returns the number of the latter.
local function devices_bound(devices, missing, ledger, most, silent_since)
  local AT_ONCE = 1000                                -- more than one append can add
  devices_drop(devices, missing, redis.call('ZRANGEBYSCORE', devices, '-inf', silent_since, 'LIMIT', 0, AT_ONCE))
  local over = math.min(redis.call('ZCARD', devices) - most, AT_ONCE)
  if over <= 0 then return 0 end
  devices_drop(devices, missing, redis.call('ZRANGE', devices, 0, over - 1))
  redis.call('HINCRBY', ledger, 'devices_forgotten', over)
  return over
end

-- A new device is looked at soon (sweep.lua): perhaps none of its readings will be classified.
local function devices_expect(devices, device, now)
  local FIRST_LOOK = 2000
  redis.call('ZADD', string.sub(devices, 1, -8) .. 'due', 'NX', string.format('%.0f', now + FIRST_LOOK), device)   -- {prefix}:devices → {prefix}:due
end

-- A message of the device was refused: it is known, even if it never sent another, but not at the cost of other devices.
local function devices_refused(devices, device, now, most)
  if device == '' or string.find(device, '[/+#]') or redis.call('ZSCORE', devices, device) or redis.call('ZCARD', devices) >= most then return end
  redis.call('ZADD', devices, now, device)
  devices_expect(devices, device, now)
end
