-- The time, and the run of the server: another after a restart, and after a fail-over.
local replication, server, time = redis.call('INFO', 'replication'), redis.call('INFO', 'server'), redis.call('TIME')
if not string.find(replication, 'role:master', 1, true) then return redis.error_reply('FLOWCTL_REPLICA this server is a replica') end
local now = time[1] * 1000000 + time[2]
local function digits(info, name)
  local _, at = string.find(info, name, 1, true)
  return string.sub(info, at + 1, at + 40)
end
local run = digits(server, 'run_id:') .. digits(replication, 'master_replid:')
local identity = string.sub(run, 41, 52) .. string.sub(run, 1, 4)
