-- After fence.lua: removes the head of a due bucket. KEYS[2] is the sorted set of
-- buckets, KEYS[3] the bucket's list. ARGV[4] how many, ARGV[5] the bucket's name.
if task[3] ~= ARGV[3] then
  return REWIND
end
local problem = ready(KEYS[2], 'zset', 'ZREM', KEYS[2], 'm')
  or ready(KEYS[3], 'list', 'LTRIM', KEYS[3], '0', '-1')
if problem then
  return problem
end
redis.call('LTRIM', KEYS[3], ARGV[4], '-1')
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[5])
end
return OK
