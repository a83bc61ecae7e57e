-- Remove messages of a queue. ARGV: the generation, the queue, its highest rank, then nothing, or for the end of
-- the queue itself its name, 'UNUSED' and 'EMPTY' where it has to be so or '-', and the bindings that go with it.
-- Gives how many messages were ready and how many consumers there are; 'REFUSED' first where it has to be kept.
even_when_full()
if is_stale(ARGV[1]) then
  return 'STALE'
end
local queue, top, name = ARGV[2], tonumber(ARGV[3]), ARGV[4]
if name then
  reap(clock())
end
local count, consumers = ready(queue, top), redis.call('ZCARD', of(queue, 'consumers'))
if name and ((ARGV[5] == 'UNUSED' and consumers > 0) or (ARGV[6] == 'EMPTY' and count > 0)) then
  return {'REFUSED', count, consumers}
end
local function drop(rank, ids)
  for _, id in ipairs(ids) do
    forget(queue, rank, id)
  end
end
for rank = 0, top do
  drop(rank, redis.call('LRANGE', of(queue, 'ready:' .. rank), 0, -1))
  drop(rank, redis.call('ZRANGE', of(queue, 'back:' .. rank), 0, -1))
  redis.call('DEL', of(queue, 'ready:' .. rank), of(queue, 'back:' .. rank))
end
for _, member in ipairs(redis.call('ZRANGE', of(queue, 'limbo'), 0, -1)) do
  local rank, id = string.match(member, '^(%d+):(%d+)$')
  forget(queue, rank, id)
end
redis.call('DEL', of(queue, 'limbo'))
if name then
  wake(queue)
  for _, hash in ipairs({'bodies', 'seen', 'waits', 'reasons', 'consumers'}) do
    redis.call('DEL', of(queue, hash))
  end
  redis.call('HDEL', P .. ':counts', queue)
  redis.call('HDEL', P .. ':queues', name)
  for at = 7, #ARGV do
    redis.call('HDEL', P .. ':bindings', ARGV[at])
  end
  redis.call('INCR', P .. ':generation')
end
return {'OK', count, consumers}
