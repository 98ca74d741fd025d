-- When an entry ends that has so many milliseconds, as it stands behind the number of its write: who reads it needs no second command
-- to know what is left.
local ENDS = 9

local function ends(lasts)
  return struct.pack('>I8', now() + tonumber(lasts))
end

-- Puts an entry. ARGV[at] is its header but for its end, the next its bytes; or nothing, and the name of a key in the same slot under
-- which all of it lies: Lua copies what it is given, and a large value would hold up the server. Then come the entry's milliseconds.
local function put(key, at)
  if ARGV[at] == '' then
    redis.call('RENAME', ARGV[at + 1], key)
    redis.call('SETRANGE', key, ENDS, ends(ARGV[at + 2]))
    redis.call('PEXPIRE', key, ARGV[at + 2])
  else
    redis.call('SET', key, ARGV[at] .. ends(ARGV[at + 2]) .. ARGV[at + 1], 'PX', ARGV[at + 2])
  end
end

