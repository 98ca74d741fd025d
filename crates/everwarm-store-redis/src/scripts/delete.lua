-- Deletes an entry, and ends its lease; whether it was there.
-- KEYS: entry, lease, shard. ARGV: what the shard needs, and what is told.
free(KEYS[2], ARGV[#ARGV - 3])
told()
return redis.call('UNLINK', KEYS[1])
