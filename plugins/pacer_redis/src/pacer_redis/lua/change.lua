-- Change what is declared or bound. ARGV: the generation that the changes are based on, then for each
-- "HSET" or "HDEL", which hash, the field, and its value. The number of a new queue is given here.
even_when_full()
if is_stale(ARGV[1]) then
  return 'STALE'
end
for at = 2, #ARGV, 4 do
  local hash = P .. ':' .. ARGV[at + 1]
  if ARGV[at] == 'HDEL' then
    redis.call('HDEL', hash, ARGV[at + 2])
  else
    redis.call('HSET', hash, ARGV[at + 2], ARGV[at + 3])
  end
end
redis.call('INCR', P .. ':generation')
return 'OK'
