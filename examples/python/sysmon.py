#!/usr/bin/env python3
# Sends load and memory of a Linux machine as one line of JSON a second, for
# ever or as often as the argument says.
#
#   wspipe --port=8080 ./examples/python/sysmon.py
#   wspipe --port=8080 ./examples/python/sysmon.py 3

import itertools
import json
import signal
import sys
import time

# End quietly, not with a traceback, when the client goes.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def load():
    with open("/proc/loadavg") as f:
        return [float(word) for word in f.read().split()[:3]]


def memory():
    with open("/proc/meminfo") as f:
        kib = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in f)}
    return {"total": kib["MemTotal"] * 1024, "available": kib["MemAvailable"] * 1024}


times = range(int(sys.argv[1])) if len(sys.argv) > 1 else itertools.count()
for n in times:
    if n > 0:
        time.sleep(1)
    sample = {"time": int(time.time()), "load": load(), "memory": memory()}
    print(json.dumps(sample), flush=True)  # flush: to a pipe, Python would keep it until it has 8 KB
