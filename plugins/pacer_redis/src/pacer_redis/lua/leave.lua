-- End owners in good order. ARGV: their names. Gives the queues that they consumed.
even_when_full()
local consumed = {}
for at = 1, #ARGV do
  if redis.call('GET', P .. ':sweeper') == ARGV[at] then
    redis.call('DEL', P .. ':sweeper')
    redis.call('PUBLISH', P .. ':sweep', '0') -- somebody else has to look
  end
  for _, queue in ipairs(bury(ARGV[at])) do
    consumed[#consumed + 1] = queue
  end
end
return consumed
