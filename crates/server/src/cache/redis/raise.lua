-- KEYS[1]: a user. ARGV: the lowest generation whose tokens count, and for how many milliseconds that matters. Never
-- lowers what stands there: instances write at their own pace.
local stands = tonumber(redis.call('GET', KEYS[1]) or '')
if not stands or stands < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
