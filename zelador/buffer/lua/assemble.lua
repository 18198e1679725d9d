-- Puts values that came on topics of their own into the windows of their devices, and appends the windows that are complete or
-- past their time as readings, all in one atomic step: a value is acknowledged when it is in a window or in the stream.
-- KEYS  1-12 as append.lua  13 windows (sorted set: name → the time when it closes)  14 parts-seen
-- ARGV  1-18 as append.lua  19 the number of windows that may be open  20 the values, as one flat MessagePack array; for each:
--       window, device, profile, number of its feature, value (text), received_at, length of the window (ms), the id of the
--       reading if this value opens the window, packet id (0 for QoS 0), 1 if the broker marked it as sent again, digest
-- A window is a hash `window:<profile>/<device>`. parts-seen has the digest of the last value with each packet id of this
-- session. It recognizes a value that is sent again after a crash between storing and acknowledging.
-- Returns the reply of append.lua, and the positions of the values that found no free window.
local ledger, windows, seen = KEYS[3], KEYS[13], KEYS[14]
local now, features, writer, token, most = tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[19])
local prefix, META, AT_ONCE, SEEN_S = string.sub(KEYS[6], 1, -8), 5, 500, 604800   -- {prefix}:devices → {prefix}:
local messages, devices, order, refused = {}, {}, {}, {}

local function names_in(text)
  local names = {}
  for name in string.gmatch(text, '[^,]+') do names[#names + 1] = name end
  return names
end
local wanted = names_in(features)

local function close(name)
  local key, window = prefix .. 'window:' .. name, {}
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do window[flat[i]] = flat[i + 1] end
  redis.call('DEL', key)
  redis.call('ZREM', windows, name)
  if not window['device'] then return end
  local by_name, values = {}, {}
  for i, feature in ipairs(names_in(window['features'])) do by_name[feature] = window['v' .. i] end
  for i, feature in ipairs(wanted) do values[i] = by_name[feature] or 'null' end
  local device = window['device']
  messages[#messages + 1] = device .. '\31' .. window['id']
  messages[#messages + 1] = '{"device_id":' .. cjson.encode(device) .. ',"readings":[{"id":"' .. window['id'] .. '","values":['
    .. table.concat(values, ',') .. '],"measured_at":' .. window['at'] .. '}],"received_at":' .. window['at'] .. ',"profile":"'
    .. window['profile'] .. '"}'
  if not devices[device] then order[#order + 1] = device end
  devices[device] = (devices[device] or 0) + 1
end

local last = redis.call('HGET', ledger, 'parts:' .. writer)
if last and string.match(last, '^%S+') == token then                      -- this step was done; its reply was lost
  for position in string.gmatch(string.match(last, ' .*$') or '', '%d+') do refused[#refused + 1] = tonumber(position) end
else
  local parts = cmsgpack.unpack(ARGV[20])
  for at = 1, #parts, 11 do
    local name, device, profile, feature, value, received_at, length, id, packet, again, digest = unpack(parts, at, at + 10)
    if again == 0 or packet == 0 or redis.call('HGET', seen, packet) ~= digest then
      local key, stored = prefix .. 'window:' .. name, true
      if redis.call('EXISTS', key) == 0 then
        if redis.call('ZCARD', windows) >= most then
          refused[#refused + 1], stored = (at + 10) / 11, false
        else
          redis.call('HSET', key, 'id', id, 'device', device, 'profile', profile, 'features', features, 'at', received_at)
          redis.call('ZADD', windows, received_at + length, name)
        end
      end
      if stored then
        redis.call('HSET', key, 'v' .. string.format('%d', feature), value, 'at', string.format('%d', received_at))
        if redis.call('HLEN', key) == META + #wanted then close(name) end
        if packet > 0 then redis.call('HSET', seen, packet, digest) end
      end
    end
  end
  if #parts > 0 then
    redis.call('EXPIRE', seen, SEEN_S)
    redis.call('HSET', ledger, 'parts:' .. writer, token .. ' ' .. table.concat(refused, ' '))
  end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', windows, '-inf', now, 'LIMIT', 0, AT_ONCE)) do close(name) end
end

local arguments, keys = {}, {}
for i = 1, 18 do arguments[i] = ARGV[i] end
for i = 1, 12 do keys[i] = KEYS[i] end
arguments[19], arguments[20], arguments[21], arguments[22], arguments[23] = cmsgpack.pack(messages), 0, 0, 0, #order
for i, device in ipairs(order) do
  keys[12 + i] = prefix .. 'device:' .. device
  for _, argument in ipairs({device, devices[device], '1', ''}) do arguments[#arguments + 1] = argument end
end
return {append(keys, arguments), refused}
