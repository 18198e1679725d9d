-- Quarantined entries, newest first, with only the beginning of their payloads.
-- KEYS  1 quarantine      ARGV  1 the id to start below, or '+'  2 number  3 kind, or '' for any  4 bytes of each payload
-- Returns entries as XREVRANGE does.
local found, from, wanted = {}, ARGV[1], tonumber(ARGV[2])
while #found < wanted do
  local entries = redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', 100)
  for _, entry in ipairs(entries) do
    local fields, kind = entry[2], nil
    for i = 1, #fields, 2 do
      if fields[i] == 'kind' then kind = fields[i + 1] end
      if fields[i] == 'payload' then fields[i + 1] = string.sub(fields[i + 1], 1, tonumber(ARGV[4])) end
    end
    if #found < wanted and (ARGV[3] == '' or kind == ARGV[3]) then found[#found + 1] = entry end
  end
  if #entries < 100 then break end
  from = '(' .. entries[#entries][1]
end
return found
