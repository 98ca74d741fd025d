-- Leases, and who waits for them. A lease is its token, and a plus sign behind it once somebody waits for its end.

-- The token of a lease, if it is there, and whether somebody waits.
local function held(key)
  local token, plus = string.match(redis.call('GET', key) or '', '^(%d+)(%+?)$')
  return token, plus == '+'
end

-- Ends a lease, and wakes who waits for it; what follows the first colon of its key is the name.
local function free(key, channel)
  local token, waits = held(key)
  if not token then
    return
  end
  redis.call('DEL', key)
  if waits then
    redis.call('PUBLISH', channel, 'W1 ' .. string.match(key, '^[^:]*:(.*)$'))
  end
end

