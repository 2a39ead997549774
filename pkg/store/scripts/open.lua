-- Takes a task. KEYS[1] is its hash. ARGV: producer id, epoch, the opening number
-- that was read, that number plus one, fold version, number of partitions.
-- Answers the verdict and the hash as it was found.
local OK, STALE, SAME_PRODUCER, NEWER_FOLD, OTHER_PARTITIONS = 1, 5, 6, 7, 8 -- task.Verdict

local before = redis.call('HGETALL', KEYS[1])
local stored = {}
for i = 1, #before, 2 do
  stored[before[i]] = before[i + 1]
end

if (stored.opening or '0') ~= ARGV[3] then
  return {STALE, before}
end
-- Epochs are 16 bits and fold versions 32, so Lua's numbers hold them.
if stored.producer == ARGV[1] and tonumber(stored.epoch) >= tonumber(ARGV[2]) then
  return {SAME_PRODUCER, before}
end
if stored.fold and tonumber(stored.fold) > tonumber(ARGV[5]) then
  return {NEWER_FOLD, before}
end
if stored.partitions and stored.partitions ~= ARGV[6] then
  return {OTHER_PARTITIONS, before}
end

if #before == 0 then
  redis.call('HSET', KEYS[1], 'producer', ARGV[1], 'epoch', ARGV[2], 'opening', ARGV[4],
    'fold', ARGV[5], 'partitions', ARGV[6],
    'batch', '0', 'offset', '0', 'crc', '0', 'checkpoint', '0', 'rebuilding', '1')
else
  redis.call('HSET', KEYS[1], 'producer', ARGV[1], 'epoch', ARGV[2], 'opening', ARGV[4], 'fold', ARGV[5])
end
return {OK, before}
