-- Put messages into queues. ARGV: the generation by which they were routed, the owner who has to be there still
-- or '', then for each message its content, the number of its queues, and for each of those its number, the rank,
-- and the wait in ms or -1.
if is_stale(ARGV[1]) then
  return 'STALE'
end
local now, at, touched = clock(), 3, {}
if ARGV[2] ~= '' and not lives(ARGV[2], now) then
  return 'LOST'
end
while at <= #ARGV do
  local content, queues = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, queues do
    enqueue(ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), content, now)
    touched[ARGV[at]] = true
    at = at + 3
  end
end
for queue in pairs(touched) do
  wake(queue)
end
return 'OK'
