"""A process that listens, shaped by its options; it tells its port and pids in one line of JSON."""

import argparse
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys

options = argparse.ArgumentParser()
options.add_argument("--at", action="append", help="address, 127.0.0.1 if none is given")
options.add_argument("--port", type=int, default=0)
options.add_argument("--port-file", help="where the port is kept from one run to the next")
options.add_argument("--udp", action="store_true")
options.add_argument("--v6only", action="store_true")
options.add_argument("--reuseport", action="store_true")
options.add_argument("--count", type=int, default=1, help="how many sockets, on ports of their own")
options.add_argument("--workers", type=int, default=0, help="children that share the socket")
options.add_argument("--siblings", type=int, default=0, help="children with a socket each, at one port")
options.add_argument("--child", help="a shell command that runs below this process")
options.add_argument("--ignore-term", action="store_true")
options.add_argument("--linger", action="store_true", help="on SIGTERM, close the socket and stay")
options.add_argument("--uid", type=int, help="become this user before anything is opened")
options.add_argument("--rename", help="the process name, as hexadecimal bytes")
options.add_argument("--tag", help="does nothing: it only stands in the command line")
options = options.parse_args()

libc = ctypes.CDLL(None)
PR_SET_DUMPABLE, PR_SET_NAME = 4, 15


def stay():
    while True:
        signal.pause()


def bind(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if options.udp else socket.SOCK_STREAM
    found = socket.socket(family, kind)
    if not options.udp:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.reuseport or options.siblings:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(options.v6only))
    found.bind((address, port))
    if not options.udp and not options.siblings:
        found.listen(64)
    return found


def fork(count, work):
    """Children that say through a pipe when they are ready, and then stay."""
    pids = []
    for _ in range(count):
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            work()
            os.write(tell, b"x")
            stay()
        os.read(told, 1)
        pids.append(pid)
    return pids


if options.uid is not None:
    os.setgroups([])
    os.setgid(options.uid)
    os.setuid(options.uid)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
if options.rename:
    libc.prctl(PR_SET_NAME, bytes.fromhex(options.rename) + b"\0", 0, 0, 0)
if options.ignore_term:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if options.count > 1:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = options.count + 64
    if hard != resource.RLIM_INFINITY and hard < wanted:
        hard = wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

port = options.port
if options.port_file and os.path.exists(options.port_file):
    port = int(open(options.port_file).read())
sockets = []
for number in range(options.count):
    # From one address, the kernel gives each port once: many sockets need several addresses.
    addresses = options.at or ["127.0.%d.1" % (number // 5000)]
    first = bind(addresses[0], port)
    sockets.append(first)
    for address in addresses[1:]:
        sockets.append(bind(address, first.getsockname()[1]))
port = sockets[0].getsockname()[1]
if options.port_file:
    with open(options.port_file + ".new", "w") as file:
        file.write(str(port))
    os.rename(options.port_file + ".new", options.port_file)

if options.linger:
    signal.signal(signal.SIGTERM, lambda *_: [one.close() for one in sockets])
workers = fork(options.workers, lambda: None)
workers += fork(options.siblings, lambda: sockets.append(bind((options.at or ["127.0.0.1"])[0], port)) or sockets[-1].listen(64))
child = None
if options.child:
    child = subprocess.Popen(["sh", "-c", options.child], stdout=subprocess.DEVNULL).pid
print(json.dumps({"port": port, "pid": os.getpid(), "workers": workers, "child": child}))
sys.stdout.flush()
stay()
