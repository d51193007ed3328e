#!/usr/bin/env ruby
# Answers each name that it reads with a greeting, until the client disconnects.
#
#   wspipe --port=8080 ./examples/ruby/greeter.rb

$stdout.sync = true # flush after every write: to a pipe, Ruby would keep it until it has 8 KB
$stdin.binmode # take each line as it is, whatever its encoding

# End quietly, without a backtrace, when interrupted or when nobody reads.
trap 'INT', 'SYSTEM_DEFAULT'
trap 'PIPE', 'SYSTEM_DEFAULT'

$stdin.each_line do |line|
  puts "Hello, #{line.delete_suffix("\n")}!"
end
