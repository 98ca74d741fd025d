-- Whether who asks may do all that the store does: the first command that is refused and why, or nothing. All is done on a key that
-- nobody reads, and that is gone when the step is.
-- KEYS: that key. ARGV: a channel, and what nobody there waits for.
local key, brief = KEYS[1], 1000
local commands = {
  { 'SET', key, '1', 'PX', brief },
  { 'GET', key },
  { 'MGET', key },
  { 'EXISTS', key },
  { 'TYPE', key },
  { 'STRLEN', key },
  { 'PTTL', key },
  { 'INCRBY', key, 1 },
  { 'GETRANGE', key, 0, 0 },
  { 'SETRANGE', key, 0, '1' },
  { 'RENAME', key, key },
  { 'UNLINK', key },
  { 'PEXPIRE', key, brief },
  { 'DEL', key },
  { 'TIME' },
  { 'PUBLISH', ARGV[1], ARGV[2] },
}
for _, words in ipairs(commands) do
  local said = redis.pcall(unpack(words))
  if type(said) == 'table' and said.err then
    redis.pcall('UNLINK', key)
    return { words[1], said.err }
  end
end
return {}
