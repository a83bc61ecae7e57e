-- Add a consumer to a queue. ARGV: the generation, the owner, the queue, 1 where it wants it for itself alone.
-- Gives its number, or 'REFUSED' with how many there are.
even_when_full()
if is_stale(ARGV[1]) then
  return 'STALE'
end
local now, owner, queue, exclusive = clock(), ARGV[2], ARGV[3], ARGV[4]
if not lives(owner, now) then
  return 'LOST'
end
reap(now)
local there = redis.call('ZRANGE', of(queue, 'consumers'), 0, -1)
for _, consumer in ipairs(there) do
  if exclusive == '1' or string.sub(consumer, -2) == ':1' then
    return {'REFUSED', #there}
  end
end
local number = next_id()
redis.call('ZADD', of(queue, 'consumers'), number, number .. ':' .. owner .. ':' .. exclusive)
redis.call('SADD', P .. ':consumers:' .. owner, queue .. ':' .. number .. ':' .. exclusive)
return {'OK', number}
