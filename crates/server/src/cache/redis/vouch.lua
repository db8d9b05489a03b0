-- KEYS: a token, its user, and its session if it has one. ARGV: the word that vouches for it, its generation, its life
-- in milliseconds. Makes nothing good that is known to be dead.
if redis.call('GET', KEYS[1]) == 'revoked' then
    return 0
end
local stands = tonumber(redis.call('GET', KEYS[2]) or '')
if not stands or stands < tonumber(ARGV[2]) then
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
if KEYS[3] then
    redis.call('SET', KEYS[3], 'good', 'PX', ARGV[3], 'NX')
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
