-- Lease the next messages of a queue to an owner; a part of `lease` and of `get`.
-- Gives a list of "RANK", "ID", "seen or not", content, ...
local MOST = 1048576 -- bytes in one step: a prefetch of 50 large messages is not all held in memory
local MANY = 1000 -- messages of which a function of Lua is told at once

local function pop(queue, rank, count, now)
  local list, back = of(queue, 'ready:' .. rank), of(queue, 'back:' .. rank)
  local first = redis.call('ZRANGE', back, 0, 0)[1]
  if not first then
    return redis.call('LPOP', list, math.min(count, MANY)) or {}
  end
  local other = redis.call('LINDEX', list, 0)
  if other and other < first then
    return {redis.call('LPOP', list)}
  end
  redis.call('ZREM', back, first)
  local member = queue .. ':' .. rank .. ':' .. first
  local expires = redis.call('ZSCORE', P .. ':due', member)
  if expires and tonumber(expires) <= now then -- the sweeper has it before long
    redis.call('ZADD', of(queue, 'limbo'), first, rank .. ':' .. first)
    return pop(queue, rank, count, now)
  end
  if expires then -- not while it is in somebody's hand
    redis.call('HSET', of(queue, 'waits'), first, expires)
    redis.call('ZREM', P .. ':due', member)
  end
  return {first}
end

local function claim(queue, top, room, owner, now)
  local found, size, count = {}, 0, 0
  for rank = top, 0, -1 do
    while count < room and size < MOST do
      local ids = pop(queue, rank, room - count, now)
      if #ids == 0 then
        break
      end
      local bodies = redis.call('HMGET', of(queue, 'bodies'), unpack(ids))
      local seen, members = redis.call('HMGET', of(queue, 'seen'), unpack(ids)), {}
      for place, id in ipairs(ids) do
        if size >= MOST then -- the others are for the next step
          for last = #ids, place, -1 do
            redis.call('LPUSH', of(queue, 'ready:' .. rank), ids[last])
          end
          break
        end
        members[#members + 1] = queue .. ':' .. rank .. ':' .. id
        found[#found + 1] = tostring(rank)
        found[#found + 1] = id
        found[#found + 1] = seen[place] and '1' or '0'
        found[#found + 1] = bodies[place]
        size = size + #bodies[place]
        count = count + 1
      end
      redis.call('SADD', P .. ':held:' .. owner, unpack(members))
    end
  end
  if count > 0 then
    redis.call('HINCRBY', P .. ':counts', queue, count)
  end
  return found, count
end
