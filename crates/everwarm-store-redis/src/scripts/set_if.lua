-- Sets an entry if a condition holds, and ends its lease; whether it held.
-- KEYS: entry, lease, shard. ARGV: header, bytes, milliseconds, 'absent', 'present' or the number of a write; then what the shard needs, and what is told.
local holds
if ARGV[4] == 'absent' then
  holds = redis.call('EXISTS', KEYS[1]) == 0
elseif ARGV[4] == 'present' then
  holds = redis.call('EXISTS', KEYS[1]) == 1
else
  holds = redis.call('GETRANGE', KEYS[1], 1, 8) == ARGV[4]
end
if not holds then
  return 0
end
put(KEYS[1], 1)
free(KEYS[2], ARGV[#ARGV - 3])
told()
return 1
