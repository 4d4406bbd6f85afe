-- What the server of a shard says of its memory and its persistence.
-- KEYS  1 any key of the shard
return redis.call('INFO', 'memory') .. redis.call('INFO', 'persistence')
