-- The head of every script of an owner. KEYS[1] is the task's hash; ARGV[1] and
-- ARGV[2] are the owner's token, ARGV[3] its opening number.
-- Numbers are compared as the decimal strings that they are stored as.
-- An error raised here comes before the first write, so nothing is changed.
local OK, DUP, REWIND, FENCED = 1, 2, 3, 4 -- task.Verdict

local task = redis.call('HMGET', KEYS[1], 'producer', 'epoch', 'opening', 'batch', 'offset', 'rebuilding')
if task[1] ~= ARGV[1] or task[2] ~= ARGV[2] then
  return FENCED
end

-- ready says why key can't be written by this command, or nil. Only a check
-- before the first write keeps a script from stopping half-way.
local function ready(key, kind, ...)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ' where a ' .. kind .. ' belongs')
  end
  if redis.acl_check_cmd and not redis.acl_check_cmd(...) then -- since Redis 7.0
    return redis.error_reply('NOPERM the user may not run ' .. select(1, ...) .. ' on ' .. key)
  end
end
