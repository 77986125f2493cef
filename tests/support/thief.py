"""Tries to bind a port as fast as it can, on each address, and says when it got one.

usage: thief.py PORT
"""

import socket
import sys

port = int(sys.argv[1])
print("trying", flush=True)
while True:
    for family, address in (
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::"),
    ):
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address, port))
            one.listen(1)
            print("stole", address, flush=True)
        except OSError:
            pass
        one.close()
