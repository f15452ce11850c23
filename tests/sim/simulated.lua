-- For tests, in the place of server.lua: the time and the run are the last arguments.
local now, run, identity = tonumber(ARGV[#ARGV - 2]), ARGV[#ARGV - 1], ARGV[#ARGV]
