#!/usr/bin/env python3
# Answers every name it reads with a greeting, until the client goes.
#
#   wspipe --port=8080 ./examples/python/greeter.py

import signal
import sys

# End quietly, not with a traceback, when interrupted or when nobody reads.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

for line in sys.stdin:
    name = line.rstrip("\n")
    print(f"Hello, {name}!", flush=True)  # flush: to a pipe, Python would keep it until it has 8 KB
