-- The reading as it is; nothing is made.
-- KEYS: the shard, then the markers.
if not look(KEYS[1]) then
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
