-- Look at a queue. ARGV: the generation, the queue, its highest rank.
-- Gives: ready messages; consumers; messages that are held; whether something is due.
even_when_full()
if is_stale(ARGV[1]) then
  return 'STALE'
end
local now, queue = clock(), ARGV[2]
reap(now)
local due = redis.call('ZRANGE', P .. ':due', 0, 0, 'WITHSCORES')[2]
return {
  ready(queue, tonumber(ARGV[3])),
  redis.call('ZCARD', of(queue, 'consumers')),
  tonumber(redis.call('HGET', P .. ':counts', queue) or '0'),
  (due and tonumber(due) <= now) and 1 or 0,
}
