-- Changes a counter, and ends its lease: {0, its text}, {1} if it is no number, {2} if it would leave 64 bits.
-- KEYS: entry, lease, shard. ARGV: header but for its end, change, initial number, milliseconds if it begins; then what the shard needs, and what is told.
-- Numbers of Lua are not exact: the server's own INCRBY counts, on the text alone, and the header is put back.
local before = redis.call('GET', KEYS[1])
local till = before and string.sub(before, ENDS + 1, ENDS + 8) or ends(ARGV[4])
if before and string.sub(before, 1, 1) ~= 'E' then
  return {1}
end
if before then
  redis.call('SET', KEYS[1], string.sub(before, ENDS + 9), 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
local changed = redis.pcall('INCRBY', KEYS[1], ARGV[2])
if type(changed) == 'table' then
  if before then
    redis.call('SET', KEYS[1], before, 'KEEPTTL')
  else
    redis.call('DEL', KEYS[1])
  end
  return {string.find(changed.err, 'overflow', 1, true) and 2 or 1}
end
local count = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1] .. till .. count, 'KEEPTTL')
free(KEYS[2], ARGV[#ARGV - 3])
told()
return {0, count}
