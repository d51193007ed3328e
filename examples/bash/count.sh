#!/usr/bin/env bash
# Counts to 10, or as far as the argument says, one number a second.
#
#   wspipe --port=8080 ./examples/bash/count.sh
#   wspipe --port=8080 ./examples/bash/count.sh 3

last=${1:-10}

for ((n = 1; n <= last; n++)); do
    echo "$n" # bash writes what echo prints at once, there is nothing to flush
    sleep 1
done
