-- Tells of what was done in many steps.
-- KEYS: shard. ARGV: what the shard needs, and what is told.
told()
return 1
