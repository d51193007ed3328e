#!/usr/bin/env bash
# Sends the last ten lines of a file, then every line that is added to it,
# also when the file is rotated.
#
#   wspipe --port=8080 ./examples/bash/logtail.sh /var/log/dpkg.log

file=${1:?usage: logtail.sh FILE}

trap 'kill -9 $! 2>/dev/null' EXIT # end tail with us: as a background job it ignores SIGINT
tail -n 10 -F -- "$file" &         # writes each line as it appears

while read -r; do :; done # until stdin ends: the client has gone
