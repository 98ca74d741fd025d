-- Gives a lease, or renews it: 0, or how many milliseconds somebody else has it, who is to wake who asks.
-- KEYS: entry, lease. ARGV: token, milliseconds.
local holder, waits = held(KEYS[2])
if holder and holder ~= ARGV[1] then
  if not waits then
    redis.call('SET', KEYS[2], holder .. '+', 'KEEPTTL')
  end
  return math.max(redis.call('PTTL', KEYS[2]), 1)
end
redis.call('SET', KEYS[2], ARGV[1] .. (waits and '+' or ''), 'PX', ARGV[2])
return 0
