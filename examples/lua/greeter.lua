#!/usr/bin/env lua
-- Answers each name that it reads with a greeting, until the client disconnects.
--
--   wspipe --port=8080 ./examples/lua/greeter.lua

local function greet()
  for name in io.lines() do
    print("Hello, " .. name .. "!") -- flushes its line; io.write would keep it until it has 4 KB
  end
end

-- End quietly: an interrupt is an error in Lua, of greet or of the pcall that calls it.
pcall(pcall, greet)
