"""Tries to get a port, over and over, until it is told to stop: thief.py PORT.

Says "ready" when it tries, and at the end how often it tried and how often it got the port.
"""

import socket
import sys
import threading

port = int(sys.argv[1])
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set())).start()
tries = won = 0
print("ready", flush=True)
while not stop.is_set() or tries < 100:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")):
        thief = socket.socket(family)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            thief.bind((address, port))
            thief.listen()
            won += 1
        except OSError:
            pass
        thief.close()
        tries += 1
print(tries, won, flush=True)
