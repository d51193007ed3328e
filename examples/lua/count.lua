#!/usr/bin/env lua
-- Counts to 10, or to its argument, one number per second.
--
--   wspipe --port=8080 ./examples/lua/count.lua
--   wspipe --port=8080 ./examples/lua/count.lua 3

local function count(last)
  for n = 1, last do
    print(n) -- flushes its line; io.write would keep it until it has 4 KB
    if not os.execute("sleep 1") then return end -- Lua has no sleep; nil means interrupted
  end
end

-- End quietly: an interrupt is an error in Lua, of count or of the pcall that calls it.
pcall(pcall, count, tonumber(arg[1] or 10))
