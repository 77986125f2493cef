"""A process that does what it is told, one line of JSON in and one out: it asks the app, listens, and
has children that can be told the same.

{"ask": {...}}                     sends a request to the app's socket; the reply
{"listen": PORT, "at": ADDRESS, "udp": BOOL, "reuseport": BOOL}   0 lets the kernel choose; {"port": N}
{"close": true}                    closes what listens; {}
{"fork": true}                     a child that has the same sockets open; {"pid": N}
{"child": {...}}                   what the newest child says to that
{"end": SIGNAL}                    ends the newest child, and waits for it; {}
"""

import json
import os
import signal
import socket
import sys

place, listening, children, app = sys.argv[1], [], [], None


def listen(told):
    address = told.get("at", "127.0.0.1")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM if told.get("udp") else socket.SOCK_STREAM)
    if not told.get("udp"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if told.get("reuseport"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, told["listen"]))
    if not told.get("udp"):
        made.listen(8)
    listening.append(made)
    return {"port": made.getsockname()[1]}


def ask(request):
    global app
    if app is None:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(place)
        app = connection.makefile("rw")
    app.write(json.dumps(request) + "\n")
    app.flush()
    return json.loads(app.readline())


def fork():
    global app
    (read, tell), (hear, write) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        # A connection belongs to the process that made it.
        app, children[:] = None, []
        os.close(tell), os.close(hear)
        serve(os.fdopen(read), os.fdopen(write, "w"))
        os._exit(0)
    os.close(read), os.close(write)
    children.append((pid, os.fdopen(tell, "w"), os.fdopen(hear)))
    return {"pid": pid}


def tell_child(told):
    _, tell, hear = children[-1]
    print(json.dumps(told), file=tell, flush=True)
    return json.loads(hear.readline())


def answer(told):
    if "ask" in told:
        return ask(told["ask"])
    if "listen" in told:
        return listen(told)
    if "close" in told:
        while listening:
            listening.pop().close()
        return {}
    if "fork" in told:
        return fork()
    if "child" in told:
        return tell_child(told["child"])
    if "end" in told:
        pid = children.pop()[0]
        os.kill(pid, getattr(signal, told["end"]))
        os.waitpid(pid, 0)
        return {}


def serve(lines, out):
    for line in lines:
        print(json.dumps(answer(json.loads(line))), file=out, flush=True)


serve(sys.stdin, sys.stdout)
