-- Deletes an entry of one write, and ends its lease; whether it was there.
-- KEYS: entry, lease, shard. ARGV: the number of the write; then what the shard needs, and what is told.
if redis.call('GETRANGE', KEYS[1], 1, 8) ~= ARGV[1] then
  return 0
end
free(KEYS[2], ARGV[#ARGV - 3])
told()
return redis.call('UNLINK', KEYS[1])
