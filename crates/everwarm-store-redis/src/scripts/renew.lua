-- Renews a lease; whether it was still there.
-- KEYS: entry, lease. ARGV: token, milliseconds.
if held(KEYS[2]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
