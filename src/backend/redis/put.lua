-- A value with a version that none before it had (the caller draws it). Answers 1 and the version there is now, or 0 and the one that was in the way.
-- KEYS: the value. ARGV: "put" or "remove", the version that is expected or "any", the new one, its life in ms or 0, the value.
local key, version = KEYS[1], redis.call('HGET', KEYS[1], 'version') or '0'
if ARGV[2] ~= 'any' and ARGV[2] ~= version then return {0, version} end
if ARGV[1] == 'remove' then
  redis.call('DEL', key)
  return {1, '0'}
end
redis.call('HSET', key, 'version', ARGV[3], 'value', ARGV[5])
if ARGV[4] == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[4]) end
return {1, ARGV[3]}
