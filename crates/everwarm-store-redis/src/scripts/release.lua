-- Gives a lease back; whether it was still there.
-- KEYS: entry, lease. ARGV: token, channel.
if held(KEYS[2]) ~= ARGV[1] then
  return 0
end
free(KEYS[2], ARGV[2])
return 1
