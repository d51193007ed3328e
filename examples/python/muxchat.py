#!/usr/bin/env python3
# A chat room in one process. Everybody gets what is said, and "@bob hello" is for
# bob alone. Names come with the address: ws://localhost:8080/?name=ada
#
#   wspipe --port=8080 --share=mux ./examples/python/muxchat.py

import json
import signal
import sys
from urllib.parse import parse_qs

# End quietly, not with a traceback, when interrupted or when nobody reads.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

names = {}  # by client


def send(to, text):
    text = "".join(filter(str.isprintable, text))  # a terminal would obey the rest
    print(json.dumps({"to": to, "data": text}), flush=True)  # flush: to a pipe, Python would keep it


for line in sys.stdin:
    event = json.loads(line)
    client, said = event["client"], event.get("data", "(not text)")
    if event["event"] == "open":
        query = parse_qs(event["env"]["QUERY_STRING"])
        names[client] = query.get("name", ["client " + client])[0]
        send(client, "* here: " + ", ".join(names.values()))
        send("*", f"* {names[client]} joined")
    elif event["event"] == "close":
        send("*", f"* {names.pop(client)} left")
    elif said.startswith("@"):
        name, _, text = said[1:].partition(" ")
        send([c for c in names if names[c] == name or c == client], f"{names[client]} to {name}: {text}")
    else:
        send("*", f"{names[client]}: {said}")
