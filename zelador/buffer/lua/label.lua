-- Adds labels of periods to the list. KEYS  1 labels  2 labels-index
-- ARGV  1 'whole' (all or none) or 'each'  2 the maximum number of labels  3 of bytes  4 of bytes sent by devices  5 by one device
--       6 bytes counted for each label beyond its JSON
--       then for each label: id, digest of its content, '' or the device that sent it, its JSON
-- The index has for each id its content, and ' -' once it is undone (unlabel.lua); and sums: 'count', 'bytes', 'devices-bytes', and
-- 'device:<device>', the bytes that a device has sent.
-- Returns for each: added, known, undone, other (the id has another content) or full; then whether it is written (written.lua).
local mode, most, most_bytes, devices_bytes, device_bytes, overhead =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local function sum(name) return tonumber(redis.call('HGET', KEYS[2], name) or 0) end
local count, bytes, sent = sum('count'), sum('bytes'), sum('devices-bytes')
local by, outcomes, new, prevented = {}, {}, {}, false
for i = 7, #ARGV, 4 do
  local id, content, sender, size = ARGV[i], ARGV[i + 1], ARGV[i + 2], #ARGV[i + 3] + overhead
  local known, outcome = new[id] or redis.call('HGET', KEYS[2], 'id:' .. id), 'added'
  if sender ~= '' and not by[sender] then by[sender] = sum('device:' .. sender) end
  if known then
    outcome = known == content and 'known' or known == content .. ' -' and 'undone' or 'other'
  elseif count >= most or bytes + size > most_bytes
      or (sender ~= '' and (sent + size > devices_bytes or by[sender] + size > device_bytes)) then
    outcome = 'full'
  else
    new[id], count, bytes = content, count + 1, bytes + size
    if sender ~= '' then sent, by[sender] = sent + size, by[sender] + size end
  end
  prevented = prevented or outcome == 'other' or outcome == 'full'
  outcomes[#outcomes + 1] = outcome
end
if not (prevented and mode == 'whole') then
  local added = false
  for i = 7, #ARGV, 4 do
    if outcomes[(i - 3) / 4] == 'added' then
      added = true
      redis.call('HSET', KEYS[2], 'id:' .. ARGV[i], ARGV[i + 1])
      redis.call('XADD', KEYS[1], '*', 'label', ARGV[i + 3])
    end
  end
  if added then
    redis.call('HSET', KEYS[2], 'count', count, 'bytes', bytes, 'devices-bytes', sent)
    for sender, size in pairs(by) do redis.call('HSET', KEYS[2], 'device:' .. sender, size) end
  end
end
outcomes[#outcomes + 1] = written()
return outcomes
