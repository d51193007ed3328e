#!/usr/bin/env python3
# Counts to 10, or as far as the argument says, one number a second.
#
#   wspipe --port=8080 ./examples/python/count.py
#   wspipe --port=8080 ./examples/python/count.py 3

import signal
import sys
import time

# End quietly, not with a traceback, when the client goes.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

last = int(sys.argv[1]) if len(sys.argv) > 1 else 10
for n in range(1, last + 1):
    print(n, flush=True)  # flush: to a pipe, Python would keep it until it has 8 KB
    time.sleep(1)
