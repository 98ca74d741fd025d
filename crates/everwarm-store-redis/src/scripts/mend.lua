-- Takes away what others wrote in the place of shards, markers and leases; how much that was. What steps on a key that is missing make
-- of it lets nothing come back: a shard begins a new epoch, and a marker is its shard's reading.
-- KEYS: those of one slot.

-- More than any of these texts has.
local LONGEST = 128

local function is_number(text)
  return #text < 20 and string.find(text, '^%d+$') ~= nil
end

local function is_ours(key)
  local letter, kind = string.match(key, '^ew{[^}]*}(%l):'), redis.call('TYPE', key).ok
  if kind == 'none' or (letter ~= 's' and letter ~= 'm' and letter ~= 'l') then
    return true
  end
  if kind ~= 'string' or redis.call('STRLEN', key) > LONGEST then
    return false
  end
  if letter == 'l' then
    return true
  end
  local pattern = letter == 's' and '^(%d+) (%d+) ' or '^(%d+) (%d+) ?%d* ?%d*$'
  local epoch, number = string.match(redis.call('GET', key), pattern)
  return epoch ~= nil and is_number(epoch) and is_number(number)
end

local gone = 0
for _, key in ipairs(KEYS) do
  if not is_ours(key) then
    gone = gone + redis.call('UNLINK', key)
  end
end
return gone
