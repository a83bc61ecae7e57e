-- Give messages back and end subscriptions. ARGV: the owner, how many messages were seen, those, how many were
-- not, those, then the subscriptions, each "QUEUE:NUMBER:EXCLUSIVE". Gives the queues that were consumed.
even_when_full()
local owner, at, touched, consumed = ARGV[1], 2, {}, {}
for _, seen in ipairs({true, false}) do
  local count = tonumber(ARGV[at])
  for place = at + 1, at + count do
    if redis.call('SREM', P .. ':held:' .. owner, ARGV[place]) == 1 then
      local queue, rank, id = split(ARGV[place])
      give_back(queue, rank, id, seen)
      touched[queue] = true
    end
  end
  at = at + count + 1
end
for queue in pairs(touched) do
  wake(queue)
end
for place = at, #ARGV do
  consumed[#consumed + 1] = unsubscribe(owner, ARGV[place])
end
return consumed
