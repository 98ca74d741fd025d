-- Invalidates tags; suspends them besides, or resumes them.
-- KEYS: the shard, then the markers. ARGV: the shard's three. ARGV[4]: suspend, resume, or neither. ARGV[5]: the span of a suspension, in milliseconds. ARGV[6] and
-- on: what is told of each tag.
enter(KEYS[1], 1)
local mode, span = ARGV[4], tonumber(ARGV[5])
local markers = {}
for at = 2, #KEYS do
  local there = read(KEYS[at])
  local lasts = there and there.lasts or 0
  if there and (not there.till or there.till <= now()) then
    there = nil
  end
  tell(ARGV[4 + at])
  local marker = { n = number, till = there and there.till, by = there and there.by }
  if mode == 'suspend' then
    marker.till = math.max(marker.till or 0, now() + span)
    marker.by = (marker.by or 0) + 1
    -- Who began while it lasted is still kept out after it.
    lasts = math.max(lasts, span + SHORTEST)
  elseif mode == 'resume' and there then
    marker.by = there.by - 1
    if marker.by == 0 then
      marker.till = nil
    end
  end
  write(KEYS[at], marker, math.max(lasts, SHORTEST))
  markers[at - 1] = marker
end
local numbers = {}
for at, marker in ipairs(markers) do
  numbers[at] = marker.till and number + 1 or marker.n
end
return reading(numbers)
