-- Whether Redis writes what this step changed to its append-only file before the answer leaves. The last call of a step.
-- With `appendfsync everysec` it postpones the write while an fsync runs in the background, and answers all the same.
-- Returns '' where it is written; else 'off' (there is no such file), 'refused' (our user has no right +info), or 'later'
-- and the id of this run of Redis: whoever asks again has to ask the same run, since a new one no longer has the step.
local function written()
  local said = redis.pcall('INFO', 'persistence')   -- a plain call would raise, after the step's writes
  if type(said) ~= 'string' then return 'refused' end
  if string.find(said, 'aof_enabled:0', 1, true) then return 'off' end
  if string.find(said, 'aof_pending_bio_fsync:0', 1, true) and string.find(said, 'aof_last_write_status:ok', 1, true) then
    return ''
  end
  local server = redis.pcall('INFO', 'server')
  return 'later ' .. (type(server) == 'string' and string.match(server, 'run_id:(%w+)') or '')
end
