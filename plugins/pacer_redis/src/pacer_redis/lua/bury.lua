-- Take messages out of their queues and put their dead letters elsewhere. ARGV: the generation, the owner that
-- holds them or '' where nobody does, then for each "QUEUE:RANK:ID", the reason, the content of its dead letter,
-- and as many queues as it says, as in `publish`; -1 queues keep it until there is one.
local RETRY = 1000 -- ms
even_when_full()
if is_stale(ARGV[1]) then
  return 'STALE'
end
local now, owner, at, touched = clock(), ARGV[2], 3, {}
if owner ~= '' and not lives(owner, now) then
  return 'LOST'
end
local function take(member, queue, rank, id)
  if owner ~= '' then
    local mine = redis.call('SREM', P .. ':held:' .. owner, member) == 1
    if mine and redis.call('HEXISTS', of(queue, 'bodies'), id) == 1 then
      redis.call('HINCRBY', P .. ':counts', queue, -1)
    end
    return mine
  end
  redis.call('ZREM', P .. ':due', member)
  return redis.call('ZREM', of(queue, 'back:' .. rank), id) + redis.call('ZREM', of(queue, 'limbo'), rank .. ':' .. id) > 0
end
while at <= #ARGV do
  local member, reason, content, queues = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local queue, rank, id = split(member)
  local mine = take(member, queue, rank, id)
  if mine and queues < 0 then
    redis.call('ZADD', of(queue, 'limbo'), id, rank .. ':' .. id)
    redis.call('HSET', of(queue, 'reasons'), id, reason)
    redis.call('HDEL', of(queue, 'waits'), id)
    falls_due(member, now + RETRY)
  elseif mine then
    forget(queue, rank, id)
  end
  for _ = 1, queues do
    if mine then
      enqueue(ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), content, now)
      touched[ARGV[at]] = true
    end
    at = at + 3
  end
end
for queue in pairs(touched) do
  wake(queue)
end
return 'OK'
