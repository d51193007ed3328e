#!/usr/bin/env ruby
# Counts to 10, or to its argument, one number per second.
#
#   wspipe --port=8080 ./examples/ruby/count.rb
#   wspipe --port=8080 ./examples/ruby/count.rb 3

$stdout.sync = true # flush after every write: to a pipe, Ruby would keep it until it has 8 KB

# End quietly, without a backtrace, when interrupted or when nobody reads.
trap 'INT', 'SYSTEM_DEFAULT'
trap 'PIPE', 'SYSTEM_DEFAULT'

1.upto(Integer(ARGV.fetch(0, 10))) do |n|
  puts n
  sleep 1
end
