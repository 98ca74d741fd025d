-- The stamp and the markers for a computation that begins.
-- KEYS[1]: the shard. KEYS[2] and on: the markers. ARGV: the shard's three. ARGV[4]: how long they are kept at least, in milliseconds. ARGV[5] and on: what is told of each tag.
enter(KEYS[1], 1)
return reading(ensure(2, tonumber(ARGV[4]), 5))
