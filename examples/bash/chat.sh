#!/usr/bin/env bash
# A chat room: every client adds lines to one file and follows it with tail.
# The room is the argument, or $CHAT_FILE, or a file in the temporary directory.
#
#   wspipe --port=8080 ./examples/bash/chat.sh
#   wspipe --port=8080 --setenv=CHAT_FILE=/srv/chat.txt ./examples/bash/chat.sh

LC_ALL=C  # lengths below are bytes, whatever the language
umask 077 # a room of our own making is for our own eyes
room=${1:-${CHAT_FILE:-${TMPDIR:-/tmp}/wspipe-chat-$UID.txt}}
[[ ! -L $room ]] || exit 1 # a link may be somebody's trap

# clean TEXT BYTES: no control characters, not too long, no blanks at the ends.
clean() {
    local text=${1//[[:cntrl:]]/}
    read -r text <<<"${text:0:$2}"
    printf '%s' "$text"
}

# say LINE: as it is short, printf makes it one write, and as >> opens the file
# for appending, the kernel keeps the lines of several writers apart.
say() { printf '%s\n' "$1" >>"$room"; }

echo "What is your name?"
read -r name || exit 0
name=$(clean "$name" 32)
name=${name:-somebody}

say "* $name joined" || exit 1
trap 'say "* $name left"; kill -9 $! 2>/dev/null' EXIT # a background job ignores SIGINT
tail -n 20 -F -- "$room" & # the latest lines, then every new one

while read -r line; do
    line=$(clean "$line" 800)
    [[ -z $line ]] || say "$name: $line"
done
