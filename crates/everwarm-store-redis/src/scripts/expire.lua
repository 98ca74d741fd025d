-- Has an entry end after so many milliseconds; whether it was there.
-- KEYS: entry. ARGV: milliseconds.
if redis.call('PEXPIRE', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('SETRANGE', KEYS[1], ENDS, ends(ARGV[1]))
return 1
