-- Takes away what others wrote in the place of shards, markers and leases; how much that was. What steps on a key that is missing make
-- of it lets nothing come back: a shard begins a new epoch, and a marker is its shard's reading.
-- KEYS: those of one slot.

-- More than any of these texts has.
local LONGEST = 128

local function is_number(text)
  return #text <= 20 and string.find(text, '^%d+$') ~= nil
end

local function is_marker(text)
  local of, n = string.match(text, '^(%d+) (%d+) ?%d* ?%d*$')
  return of and is_number(of) and is_number(n)
end

local function is_ours(key)
  local letter, kind = string.match(key, '^ew{[^}]*}(%l):'), redis.call('TYPE', key).ok
  if kind == 'none' or (letter ~= 's' and letter ~= 'm' and letter ~= 'l') then
    return true
  end
  if letter == 's' then
    if kind ~= 'hash' then
      return false
    end
    local there = redis.call('HMGET', key, 'e', 'n')
    return is_number(there[1] or '0') and is_number(there[2] or '0')
  end
  if kind ~= 'string' or redis.call('STRLEN', key) > LONGEST then
    return false
  end
  return letter == 'l' or is_marker(redis.call('GET', key))
end

local gone = 0
for _, key in ipairs(KEYS) do
  if not is_ours(key) then
    gone = gone + redis.call('UNLINK', key)
  end
end
return gone
