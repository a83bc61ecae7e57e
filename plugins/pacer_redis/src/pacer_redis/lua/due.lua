-- See what is due, the oldest first. ARGV: at most how many; of large ones, fewer.
-- Gives for each "QUEUE:RANK:ID", why it left its queue or '', and its content or '' where there is none.
local MOST = 1048576 -- bytes
even_when_full()
local now, found, size = clock(), {}, 0
local due = redis.call('ZRANGEBYSCORE', P .. ':due', '-inf', string.format('%d', now), 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  local queue, rank, id = split(member)
  found[#found + 1] = member
  found[#found + 1] = redis.call('HGET', of(queue, 'reasons'), id) or ''
  found[#found + 1] = redis.call('HGET', of(queue, 'bodies'), id) or ''
  size = size + #found[#found]
  if size >= MOST then
    break
  end
end
return found
