"""Picks ports with python_portpicker's client: waits for a line, picks, prints them and the time."""
import json
import os
import sys
import time

import portpicker

count, address = int(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
start = time.monotonic()
ports = [portpicker.get_port_from_port_server(address, pid=os.getpid()) for _ in range(count)]
took = time.monotonic() - start
print(json.dumps({"ports": ports, "took": took}), flush=True)
sys.stdin.readline()
