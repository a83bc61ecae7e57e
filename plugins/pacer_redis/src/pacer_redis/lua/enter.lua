-- Begin or go on as an owner, and see what there is to do. ARGV: the owner, its lease in ms, 1 where it is new,
-- then its subscriptions' queues. Gives: the clock; when the next message is due, or -1; whether this owner
-- sweeps; queues whose consumers have ended.
even_when_full()
local now, owner, lease = clock(), ARGV[1], tonumber(ARGV[2])
local seen = tonumber(redis.call('HGET', P .. ':clock', 'seen') or '0')
if now < seen then -- or a dead owner's lease would last for as long again as the clock was set back
  redis.call('HINCRBY', P .. ':clock', 'behind', string.format('%d', seen - now))
  now = seen
end
redis.call('HSET', P .. ':clock', 'seen', string.format('%d', now))
if ARGV[3] ~= '1' and not lives(owner, now) then
  return 'LOST'
end
redis.call('ZADD', P .. ':owners', now + lease, owner)
local consumed = reap(now)
local sweeper = redis.call('GET', P .. ':sweeper')
if not sweeper or not lives(sweeper, now) then
  redis.call('SET', P .. ':sweeper', owner)
  sweeper = owner
end
local due = redis.call('ZRANGE', P .. ':due', 0, 0, 'WITHSCORES')[2]
return {now, due and tonumber(due) or -1, sweeper == owner and 1 or 0, consumed}
