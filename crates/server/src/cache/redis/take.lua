-- GCRA, as in memory.rs, for several counters at once; all times in microseconds since the epoch.
-- KEYS: the counters, in the order in which they are asked. ARGV: now; then for each how far it may run ahead of
-- the clock, its interval, when it will have caught up as far as the asker has seen, and 1 if the asker has counted
-- it alone since (while we were away).
-- Answers how long to wait (0: go on), then for each counter that was looked at when it will have caught up.
local now = tonumber(ARGV[1])
local answer = { 0 }
for i, key in ipairs(KEYS) do
    local ahead, every = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
    local seen, alone = tonumber(ARGV[4 * i]), ARGV[4 * i + 1] == '1'
    local stored = tonumber(redis.call('GET', key) or '')
    -- A counter that is gone has caught up, or was lost: then what the asker has seen is the best that there is.
    -- One that is there may have been begun anew since the asker saw it.
    local caught_up = math.max(stored or seen, now)
    if alone then
        caught_up = math.max(caught_up, seen)
    end
    -- Further ahead than any clock that is right could have put it.
    caught_up = math.min(caught_up, now + ahead + every)
    local wait = caught_up - now - ahead
    if wait <= 0 then
        caught_up = caught_up + every
    end
    if wait <= 0 or not stored or caught_up > stored then
        local life = math.ceil((caught_up - now) / 1000) + 1
        redis.call('SET', key, string.format('%.0f', caught_up), 'PX', string.format('%.0f', life))
    end
    answer[i + 1] = caught_up
    if wait > 0 then
        answer[1] = wait
        break
    end
end
return answer
