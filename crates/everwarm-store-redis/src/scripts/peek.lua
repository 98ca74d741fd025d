-- The reading as it is; nothing is made.
-- KEYS: the shard, then the markers.
local there = redis.call('HMGET', KEYS[1], 'e', 'n')
epoch, number = there[1], tonumber(there[2])
if not epoch or not number then
  return {}
end
local numbers = {}
for at = 2, #KEYS do
  local marker = read(KEYS[at])
  local is_over = marker and marker.till and marker.till <= now()
  if marker and not is_over then
    numbers[at - 1] = marker.till and number + 1 or marker.n
  else
    numbers[at - 1] = false
  end
end
return reading(numbers)
