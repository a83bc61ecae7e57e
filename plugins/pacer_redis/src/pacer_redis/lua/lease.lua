-- Lease what consumers may have. ARGV: the owner, the number of pools, what each pool has, then for each wish
-- the queue, the consumer's number, whether it is exclusive, the highest rank, whether one consumer alone is
-- active, the room, and its pool. Gives for each wish nothing, 'ENDED', or what `claim` gives.
even_when_full()
local now, owner, pools = clock(), ARGV[1], tonumber(ARGV[2])
if not lives(owner, now) then
  return 'LOST'
end
local left, answer = {}, {}
for pool = 1, pools do
  left[pool] = tonumber(ARGV[2 + pool])
end
for at = 3 + pools, #ARGV, 7 do
  local queue, me = ARGV[at], ARGV[at + 1] .. ':' .. owner .. ':' .. ARGV[at + 2]
  local pool = tonumber(ARGV[at + 6])
  local room, found, count = math.min(tonumber(ARGV[at + 5]), left[pool]), {}, 0
  if not redis.call('ZSCORE', of(queue, 'consumers'), me) then
    found = 'ENDED'
  elseif room > 0 then
    if ARGV[at + 4] == '0' or redis.call('ZRANGE', of(queue, 'consumers'), 0, 0)[1] == me then
      found, count = claim(queue, tonumber(ARGV[at + 3]), room, owner, now)
      left[pool] = left[pool] - count
    end
    if count == 0 then
      redis.call('SADD', of(queue, 'idle'), owner)
    end
  end
  answer[#answer + 1] = found
end
return answer
