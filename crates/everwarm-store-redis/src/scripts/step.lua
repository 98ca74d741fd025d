-- Commands that only read, in one step: the replies to them, in their order.
-- KEYS: those of the commands. ARGV: the words of each command, behind their number.
-- Lua gives no function more than some thousand words. Only MGET may have as many.
local MOST = 1000

local function asked(first, last)
  if last - first < MOST then
    return redis.call(unpack(ARGV, first, last))
  end
  local all = {}
  for at = first + 1, last, MOST do
    for _, value in ipairs(redis.call(ARGV[first], unpack(ARGV, at, math.min(at + MOST - 1, last)))) do
      all[#all + 1] = value
    end
  end
  return all
end

local replies, at = {}, 1
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  replies[#replies + 1] = asked(at + 1, last)
  at = last + 1
end
return replies
