-- Lease one message without a consumer. ARGV: the generation, the owner, the queue, its highest rank.
-- Gives what `claim` gives, and how many are left.
even_when_full()
if is_stale(ARGV[1]) then
  return 'STALE'
end
local now, owner, queue, top = clock(), ARGV[2], ARGV[3], tonumber(ARGV[4])
if not lives(owner, now) then
  return 'LOST'
end
local found = claim(queue, top, 1, owner, now)
return {found, ready(queue, top)}
