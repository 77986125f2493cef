"""Counts the signals that it gets, and ends at the second interrupt."""

import os
import signal
import sys
import time

counts = {}


def got(number, _):
    name = signal.Signals(number).name
    counts[name] = counts.get(name, 0) + 1
    # In one piece, and safe in the middle of another one.
    os.write(1, b"got %s %d\n" % (name.encode(), counts[name]))


for one in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1):
    signal.signal(one, got)
print("up job", flush=True)
while counts.get("SIGINT", 0) < 2:
    time.sleep(0.01)
print("counted", *("%s=%d" % pair for pair in sorted(counts.items())), flush=True)
sys.exit(5)
