-- Sets an entry under its lease, which ends; whether the lease was still there.
-- KEYS: entry, lease. ARGV: header, bytes, milliseconds, token, channel.
if held(KEYS[2]) ~= ARGV[4] then
  return 0
end
put(KEYS[1], 1)
free(KEYS[2], ARGV[5])
return 1
