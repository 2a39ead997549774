-- After fence.lua: marks the task as being rebuilt, forgets its clocks and deletes
-- KEYS from 2 on. The names of sum keys and the due buckets come last of all, so
-- that what is left can always be found.
if task[3] ~= ARGV[3] then
  return FENCED
end
local problem = ready(KEYS[1], 'hash', 'HSET', KEYS[1], 'f', 'v') or ready(KEYS[1], 'hash', 'HDEL', KEYS[1], 'f')
if not problem and redis.acl_check_cmd then
  for k = 2, #KEYS do
    if not redis.acl_check_cmd('UNLINK', KEYS[k]) then
      problem = redis.error_reply('NOPERM the user may not run UNLINK on ' .. KEYS[k])
    end
  end
end
if problem then
  return problem
end
redis.call('HSET', KEYS[1], 'rebuilding', '1')
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 6) == 'clock:' then
    redis.call('HDEL', KEYS[1], field)
  end
end
for k = 2, #KEYS do
  redis.call('UNLINK', KEYS[k])
end
return OK
