-- Puts an entry. ARGV[at] is its header, the next its bytes; or nothing, and the name of a key in the same slot under which all of it
-- lies: Lua copies what it is given, and a large value would hold up the server. Then come the entry's milliseconds.
local function put(key, at)
  if ARGV[at] == '' then
    redis.call('RENAME', ARGV[at + 1], key)
    redis.call('PEXPIRE', key, ARGV[at + 2])
  else
    redis.call('SET', key, ARGV[at] .. ARGV[at + 1], 'PX', ARGV[at + 2])
  end
end

