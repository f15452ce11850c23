local replication, time = redis.call('INFO', 'replication'), redis.call('TIME')
if not string.find(replication, 'role:master', 1, true) then return redis.error_reply('FLOWCTL_REPLICA this server is a replica') end
local now = time[1] * 1000000 + time[2]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') .. string.match(replication, 'master_replid:(%x+)')
local identity = string.sub(run, 41, 52) .. string.sub(run, 1, 4)
