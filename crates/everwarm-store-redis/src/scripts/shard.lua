-- The shard that a step is on, and what it tells others.
--
-- A shard is a hash: e its epoch, n its counter, s the server that gave the last number. Where a step has it among its arguments, a
-- fresh epoch comes first, then the channel, and what messages begin with. The last argument of all is the run of the server.
-- Numbers stay below 2^53, which a double holds exactly.

local JUMP, LIMIT = 2 ^ 32, 2 ^ 53 - 2 ^ 34
-- Milliseconds that a shard outlives its last step: longer than any entry lives.
local SHARD_LASTS = 5184000000

local shard, channel, heading, epoch, number

local function text(n)
  return string.format('%.0f', n)
end

-- Makes the shard if it is missing, and goes beyond all numbers that another server may have given.
local function enter(key, first)
  shard, channel, heading = key, ARGV[first + 1], ARGV[first + 2]
  local there = redis.call('HMGET', shard, 'e', 'n', 's')
  local server = ARGV[#ARGV]
  epoch, number = there[1], tonumber(there[2])
  if not epoch or not number or number >= LIMIT then
    epoch, number = ARGV[first], 0
    redis.call('HSET', shard, 'e', epoch, 'n', '0', 's', server)
  elseif there[3] ~= server then
    number = number + JUMP
    redis.call('HSET', shard, 'n', text(number), 's', server)
  end
  redis.call('PEXPIRE', shard, SHARD_LASTS)
end

-- Takes the next number, for a message that says this.
local function tell(message)
  number = redis.call('HINCRBY', shard, 'n', 1)
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

