-- The markers of tags. One is the text "epoch number"; that of a suspended tag "epoch number until by", until in milliseconds of the
-- server's time.

-- Milliseconds that a marker lasts which nobody asked to be kept.
local SHORTEST = 3600000

-- What a marker of this epoch says, and for how long it lasts.
local function read(key)
  local there = redis.call('GET', key)
  if not there then
    return nil
  end
  local of, n, till, by = string.match(there, '^(%d+) (%d+) ?(%d*) ?(%d*)$')
  if of ~= epoch then
    return nil
  end
  return { n = tonumber(n), till = tonumber(till), by = tonumber(by), lasts = redis.call('PTTL', key) }
end

local function write(key, marker, lasts)
  local says = epoch .. ' ' .. text(marker.n)
  if marker.till then
    says = says .. ' ' .. text(marker.till) .. ' ' .. text(marker.by)
  end
  redis.call('SET', key, says, 'PX', text(lasts))
end

-- Gives each tag whose marker is in KEYS from `first` on one that lasts for `keep`, and gives the markers: one that is absent is the
-- shard's reading now. A suspension whose time is up has ended by an invalidation, of which ARGV from `told` on says what is told.
local function ensure(first, keep, told)
  local markers = {}
  for at = first, #KEYS do
    local marker = read(KEYS[at])
    if marker and marker.till and marker.till <= now() then
      tell(ARGV[told + at - first])
      marker = { n = number, lasts = marker.lasts }
      write(KEYS[at], marker, math.max(marker.lasts, SHORTEST))
    end
    markers[at] = marker or false
  end
  -- Longer than asked for, so that it is seldom written again.
  local lasting = math.max(keep + math.floor(keep / 4), SHORTEST)
  local numbers = {}
  for at = first, #KEYS do
    local marker = markers[at]
    if not marker then
      marker = { n = number }
      write(KEYS[at], marker, lasting)
    elseif marker.lasts < keep then
      redis.call('PEXPIRE', KEYS[at], lasting)
    end
    -- No stamp covers the number after the counter's.
    numbers[#numbers + 1] = marker.till and number + 1 or marker.n
  end
  return numbers
end

-- The reading that a step answers with.
local function reading(numbers)
  local all = { epoch, text(number) }
  for at, n in ipairs(numbers) do
    all[at + 2] = n and text(n)
  end
  return all
end

