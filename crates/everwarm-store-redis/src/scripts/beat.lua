-- The reading of the shard, which is made if it is missing.
-- KEYS[1]: the shard.
enter(KEYS[1], 1)
return { epoch, text(number) }
