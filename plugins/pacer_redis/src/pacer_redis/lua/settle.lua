-- End messages that an owner holds. ARGV: the owner, then each "QUEUE:RANK:ID"; some hundreds at most.
local owner = ARGV[1]
if not lives(owner, clock()) then
  return 'LOST'
end
local held, mine, ids = P .. ':held:' .. owner, {}, {}
for place, is_mine in ipairs(redis.call('SMISMEMBER', held, unpack(ARGV, 2))) do
  if is_mine == 1 then
    local member = ARGV[place + 1]
    local queue, _, id = split(member)
    mine[#mine + 1] = member
    ids[queue] = ids[queue] or {}
    table.insert(ids[queue], id)
  end
end
if #mine == 0 then
  return 'OK'
end
redis.call('SREM', held, unpack(mine))
for queue, those in pairs(ids) do
  local ended = redis.call('HDEL', of(queue, 'bodies'), unpack(those))
  for _, hash in ipairs({'seen', 'waits', 'reasons'}) do
    redis.call('HDEL', of(queue, hash), unpack(those))
  end
  if ended > 0 then -- none where the queue has been deleted meanwhile
    redis.call('HINCRBY', P .. ':counts', queue, -ended)
  end
end
return 'OK'
