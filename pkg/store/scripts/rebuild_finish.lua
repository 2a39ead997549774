-- After fence.lua: ends a rebuild. ARGV[4] batch number, ARGV[5] next offset,
-- ARGV[6] CRC, ARGV[7] checkpoint offset or empty.
if task[3] ~= ARGV[3] then
  return FENCED
end
local head = {'rebuilding', '0', 'batch', ARGV[4], 'offset', ARGV[5], 'crc', ARGV[6]}
if ARGV[7] ~= '' then
  head[9], head[10] = 'checkpoint', ARGV[7]
end
redis.call('HSET', KEYS[1], unpack(head))
return OK
