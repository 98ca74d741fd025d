-- The shard that a step is on, and what it tells others.
--
-- A shard is the text "epoch number server": its epoch, its counter, and the server that gave the last number. Where a step has it among
-- its arguments, a fresh epoch comes first, then the channel, and what messages begin with. The last argument of all is the run of the
-- server. Numbers stay below 2^53, which a double holds exactly.

local JUMP, LIMIT = 2 ^ 32, 2 ^ 53 - 2 ^ 34
-- Milliseconds that a shard outlives its last step: longer than any entry lives.
local SHARD_LASTS = 5184000000

local shard, channel, heading, epoch, number

local function text(n)
  return string.format('%.0f', n)
end

-- Takes in what the shard says; the server that gave its number, or nothing if it is not there.
local function look(key)
  local of, n, server = string.match(redis.call('GET', key) or '', '^(%d+) (%d+) (.*)$')
  epoch, number = of, tonumber(n)
  return server
end

local function keep()
  redis.call('SET', shard, epoch .. ' ' .. text(number) .. ' ' .. ARGV[#ARGV], 'PX', SHARD_LASTS)
end

-- Makes the shard if it is missing, and goes beyond all numbers that another server may have given.
local function enter(key, first)
  shard, channel, heading = key, ARGV[first + 1], ARGV[first + 2]
  local server = look(key)
  if not server or number >= LIMIT then
    epoch, number = ARGV[first], 0
    keep()
  elseif server ~= ARGV[#ARGV] then
    number = number + JUMP
    keep()
  else
    redis.call('PEXPIRE', shard, SHARD_LASTS)
  end
end

-- Takes the next number, for a message that says this.
local function tell(message)
  number = number + 1
  keep()
  redis.call('PUBLISH', channel, heading .. ' ' .. epoch .. ' ' .. text(number) .. ' ' .. message)
end

-- Tells of a write by hand, if there is anything to tell: its shard is the last key, and the message the last argument but one.
local function told()
  local message = ARGV[#ARGV - 1]
  if message ~= '' then
    enter(KEYS[#KEYS], #ARGV - 4)
    tell(message)
  end
end
