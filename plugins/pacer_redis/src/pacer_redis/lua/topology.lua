-- What is declared and bound: its generation, then exchanges, queues and bindings.
return {
  redis.call('GET', P .. ':generation') or '0',
  redis.call('HGETALL', P .. ':exchanges'),
  redis.call('HGETALL', P .. ':queues'),
  redis.call('HKEYS', P .. ':bindings'),
}
