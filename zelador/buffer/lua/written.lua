-- Tells whether Redis writes this step to its append-only file before the reply is sent. The last call of a step.
-- With `appendfsync everysec`, Redis postpones the write while an fsync runs in the background, but still replies.
-- Returns '' if it is written; else 'off' (there is no such file), 'refused' (the user lacks the right +info), or 'later'
-- and the run id of Redis: only the same run can confirm the write later, since a new one does not have the step.
local function written()
  local said = redis.pcall('INFO', 'persistence')   -- `call` would raise after the step's writes
  if type(said) ~= 'string' then return 'refused' end
  if string.find(said, 'aof_enabled:0', 1, true) then return 'off' end
  if string.find(said, 'aof_pending_bio_fsync:0', 1, true) and string.find(said, 'aof_last_write_status:ok', 1, true) then
    return ''
  end
  local server = redis.pcall('INFO', 'server')
  return 'later ' .. (type(server) == 'string' and string.match(server, 'run_id:(%w+)') or '')
end
