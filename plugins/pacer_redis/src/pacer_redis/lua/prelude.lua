-- What all scripts share. KEYS[1] is the broker's name in braces, "{pacer}", so that all its keys are in one
-- slot of a cluster, and a script may touch every one of them. They are, after that name:
--
--   :generation                 grows with every change of what is declared or bound
--   :exchanges :queues :bindings   hashes: what is declared, each as a table of AMQP
--   :ids                        the last number that was given: of messages, queues and consumers
--   :owners                     sorted set: each owner by when its lease ends (ms, by `clock`)
--   :clock                      hash: the latest time that was "seen", and by how much the server's is "behind"
--   :held:OWNER                 set: the messages it has leased, each "QUEUE:RANK:ID"
--   :consumers:OWNER            set: its subscriptions, each "QUEUE:NUMBER:EXCLUSIVE"
--   :due                        sorted set: "QUEUE:RANK:ID" by when it expires (ms)
--   :sweeper                    the owner who dead-letters what is due
--   :counts                     hash: how many messages of a queue are held
--   :Q:ready:RANK               list: ids of messages that nobody has had and that do not expire
--   :Q:back:RANK                sorted set: ids of messages that came back, or that expire
--   :Q:limbo                    sorted set: "RANK:ID" that has left the queue and has nowhere to go yet
--   :Q:bodies :Q:seen :Q:waits :Q:reasons   hashes by id: content; seen before; expires; why it left
--   :Q:consumers                sorted set: "NUMBER:OWNER:EXCLUSIVE" by number
--   :Q:idle                     set: owners to call when something comes
--
-- An id has sixteen digits, so that ids sort as text as they do as numbers.

local P = KEYS[1]

-- Under maxmemory Redis refuses commands that need memory, unless the script has written before. What takes
-- messages away from a full Redis has to go through: it begins with a write that changes nothing.
local function even_when_full()
  redis.call('DEL', P .. ':nothing')
end

-- The time in ms since 1970, or later: it does not go back with the server's clock, or with a master that was a
-- replica on another machine. Who renews a lease sees that, and what is missing is added from then on.
local function clock()
  local time = redis.call('TIME')
  local behind = redis.call('HGET', P .. ':clock', 'behind') or 0
  return time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(behind)
end

local function of(queue, what)
  return P .. ':' .. queue .. ':' .. what
end

local function split(member)
  return string.match(member, '^(%d+):(%d+):(%d+)$')
end

local function next_id()
  return string.format('%016d', redis.call('INCR', P .. ':ids'))
end

local function is_stale(generation)
  return (redis.call('GET', P .. ':generation') or '0') ~= generation
end

local function wake(queue)
  local idle = of(queue, 'idle')
  for _, owner in ipairs(redis.call('SMEMBERS', idle)) do
    redis.call('PUBLISH', P .. ':wake:' .. owner, '')
  end
  redis.call('DEL', idle)
end

local function falls_due(member, at)
  local first = redis.call('ZRANGE', P .. ':due', 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', P .. ':due', at, member)
  if not first or at < tonumber(first) then
    redis.call('PUBLISH', P .. ':sweep', string.format('%d', at))
  end
end

-- Put content at the end of a queue; `wait` in ms, negative where it does not expire.
local function enqueue(queue, rank, wait, content, now)
  local id = next_id()
  redis.call('HSET', of(queue, 'bodies'), id, content)
  if wait < 0 then
    redis.call('RPUSH', of(queue, 'ready:' .. rank), id)
  else
    redis.call('ZADD', of(queue, 'back:' .. rank), id, id)
    falls_due(queue .. ':' .. rank .. ':' .. id, now + wait)
  end
end

-- Count what is ready in a queue whose highest rank is `top`.
local function ready(queue, top)
  local count = redis.call('ZCARD', of(queue, 'limbo'))
  for rank = 0, top do
    count = count + redis.call('LLEN', of(queue, 'ready:' .. rank))
    count = count + redis.call('ZCARD', of(queue, 'back:' .. rank))
  end
  return count
end

-- Forget a message that has been taken out of wherever it was; tell whether it was still there.
local function forget(queue, rank, id)
  local there = redis.call('HDEL', of(queue, 'bodies'), id) == 1
  redis.call('HDEL', of(queue, 'seen'), id)
  redis.call('HDEL', of(queue, 'waits'), id)
  redis.call('HDEL', of(queue, 'reasons'), id)
  redis.call('ZREM', P .. ':due', queue .. ':' .. rank .. ':' .. id)
  return there
end

-- Put a message that is no longer held back to where it was.
local function give_back(queue, rank, id, seen)
  if redis.call('HEXISTS', of(queue, 'bodies'), id) == 0 then -- its queue is gone
    return
  end
  redis.call('HINCRBY', P .. ':counts', queue, -1)
  redis.call('ZADD', of(queue, 'back:' .. rank), id, id)
  if seen then
    redis.call('HSET', of(queue, 'seen'), id, 1)
  end
  local expires = redis.call('HGET', of(queue, 'waits'), id)
  if expires then
    redis.call('HDEL', of(queue, 'waits'), id)
    falls_due(queue .. ':' .. rank .. ':' .. id, tonumber(expires))
  end
end

local function unsubscribe(owner, subscription)
  local queue, number, exclusive = split(subscription)
  redis.call('SREM', P .. ':consumers:' .. owner, subscription)
  redis.call('ZREM', of(queue, 'consumers'), number .. ':' .. owner .. ':' .. exclusive)
  wake(queue)
  return queue
end

-- End an owner: what it held goes back, its subscriptions end. Gives the queues that it consumed.
local function bury(owner)
  local touched = {}
  for _, member in ipairs(redis.call('SMEMBERS', P .. ':held:' .. owner)) do
    local queue, rank, id = split(member)
    give_back(queue, rank, id, true)
    touched[queue] = true
  end
  redis.call('DEL', P .. ':held:' .. owner)
  redis.call('ZREM', P .. ':owners', owner)
  for queue in pairs(touched) do
    wake(queue)
  end
  local consumed = {}
  for _, subscription in ipairs(redis.call('SMEMBERS', P .. ':consumers:' .. owner)) do
    consumed[#consumed + 1] = unsubscribe(owner, subscription)
  end
  return consumed
end

-- End the owners whose lease is over. Gives the queues that they consumed.
local function reap(now)
  local consumed = {}
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', P .. ':owners', '-inf', '(' .. string.format('%d', now))) do
    for _, queue in ipairs(bury(owner)) do
      consumed[#consumed + 1] = queue
    end
  end
  return consumed
end

local function lives(owner, now)
  local ends = redis.call('ZSCORE', P .. ':owners', owner)
  return ends and tonumber(ends) >= now
end
