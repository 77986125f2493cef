"""A server as people write them; it says where it listens, and answers with the same.

usage: web.py [--port N] [--times N] [--also N] [--udp] [--fds]
Without --port it listens where PORT says. With --times it closes and listens anew so often before
it stays, as servers do that reload. With --also it asks for that port too. With --fds it takes the
sockets that it was handed.
"""

import argparse
import os
import socket
import sys

options = argparse.ArgumentParser()
options.add_argument("--port", type=int)
options.add_argument("--times", type=int, default=1)
options.add_argument("--also", type=int)
options.add_argument("--udp", action="store_true")
options.add_argument("--fds", action="store_true")
options = options.parse_args()
port = options.port or int(os.environ["PORT"])


def listen(port):
    kind = socket.SOCK_DGRAM if options.udp else socket.SOCK_STREAM
    made = socket.socket(socket.AF_INET, kind)
    if not options.udp:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
        if not options.udp:
            made.listen(16)
    except OSError as error:
        print("refused", port, error.strerror, flush=True)
        sys.exit(9)
    return made


if options.fds:
    assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_PID"]
    assert os.environ["LISTEN_FDS"] == "1"
    server = socket.socket(fileno=3)
else:
    for _ in range(options.times - 1):
        listen(port).close()
    server = listen(port)
if options.also:
    also = listen(options.also)
    print("also", also.getsockname()[1], flush=True)
print("up", server.getsockname()[1], os.getpid(), flush=True)
while True:
    if options.udp:
        data, peer = server.recvfrom(100)
        server.sendto(data.upper(), peer)
        continue
    peer, _ = server.accept()
    peer.recv(1000)
    body = "port %d" % server.getsockname()[1]
    peer.sendall(("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
    peer.close()
