#!/usr/bin/env bash
# A chat room in one process, which is jq's. Everybody gets what is said, and
# "@bob hello" is for bob alone. Names, of letters and digits here, come with the
# address: ws://localhost:8080/?name=ada
#
#   wspipe --port=8080 --share=mux ./examples/bash/muxchat.sh

# --unbuffered: to a pipe, jq would keep what it prints. cntrl: a terminal would
# obey it.
exec jq --unbuffered -cn '
    def send($to; $text): {to: $to, data: ($text | gsub("[[:cntrl:]]"; ""))};
    foreach inputs as $e ({}; # the names, by client
        .gone = .[$e.client] |
        if $e.event == "open" then .[$e.client] = (($e.env.QUERY_STRING | capture("(^|&)name=(?<n>\\w+)").n) // "client \($e.client)")
        elif $e.event == "close" then del(.[$e.client]) else . end;
        .gone as $gone | del(.gone) | .[$e.client] as $me | ($e.data // "(not text)") as $said |
        if $e.event == "open" then send($e.client; "* here: \([.[]] | join(", "))"), send("*"; "* \($me) joined")
        elif $e.event == "close" then send("*"; "* \($gone) left")
        elif $said | startswith("@") then ($said | capture("^@(?<name>\\S*)\\s*(?<text>.*)"; "p")) as {$name, $text} |
            send([to_entries[] | select(.value == $name or .key == $e.client).key]; "\($me) to \($name): \($text)")
        else send("*"; "\($me): \($said)") end)'
