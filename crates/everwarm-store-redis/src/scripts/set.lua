-- Sets an entry, and ends its lease.
-- KEYS: entry, lease, shard. ARGV: header, bytes, milliseconds; then what the shard needs, and what is told.
put(KEYS[1], 1)
free(KEYS[2], ARGV[#ARGV - 3])
told()
return 1
