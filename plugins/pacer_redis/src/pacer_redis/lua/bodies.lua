-- Give the contents of messages. ARGV: each "QUEUE:RANK:ID".
local found = {}
for at = 1, #ARGV do
  local queue, _, id = split(ARGV[at])
  found[at] = redis.call('HGET', of(queue, 'bodies'), id) or ''
end
return found
