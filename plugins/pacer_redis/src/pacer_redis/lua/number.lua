-- Give a number that nobody has had.
return redis.call('INCR', P .. ':ids')
