-- Stores what was computed, if its lease is there and its stamp covers the markers.
-- KEYS: shard, entry, lease, then the markers. ARGV: the shard's three; how long the markers are kept at least, in milliseconds; the
-- token, or nothing; the stamp, as "epoch number"; header, bytes, and their milliseconds. ARGV[10] and on: what is told of each tag.
if ARGV[5] ~= '' and held(KEYS[3]) ~= ARGV[5] then
  return 'lost'
end
if #KEYS > 3 then
  enter(KEYS[1], 1)
  local of, stamp = string.match(ARGV[6], '^(%d+) (%d+)$')
  stamp = of == epoch and tonumber(stamp) or -1
  for _, n in ipairs(ensure(4, tonumber(ARGV[4]), 10)) do
    if n > stamp then
      return 'overtaken'
    end
  end
end
put(KEYS[2], 7)
if ARGV[5] ~= '' then
  free(KEYS[3], ARGV[2])
end
return 'stored'
