#!/usr/bin/env python3
"""Make this machine busy for a while: PROCS processes, each listening on 127.0.0.1 (BASE + 1, BASE + 2, ...) with
FDS open files, and CONNS established connections to 127.0.0.1:BASE. Prints `ready`, and ends when its input ends,
however that comes about, or after SECONDS.

usage: busy_box.py PROCS FDS CONNS SECONDS [BASE]     (the reference load is 500 50 1800 60; BASE is 10000)
"""
import os
import resource
import select
import socket
import sys


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"port {port} cannot be had: {error}")
    listener.listen(4096)
    return listener


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__.strip())
    procs, fds, conns, seconds = (int(word) for word in sys.argv[1:5])
    base = int(sys.argv[5]) if len(sys.argv) == 6 else 10000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 2 * conns + 100 > hard:
        sys.exit(f"{conns} connections need {2 * conns + 100} descriptors, and {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    # The children read the one pipe until this process has ended, and hold the other until they are ready.
    alive, keep_alive = os.pipe()
    starting, started = os.pipe()
    children = []
    for number in range(1, procs + 1):
        listener = listen(base + number)
        pid = os.fork()
        if pid == 0:
            os.close(keep_alive)
            os.close(starting)
            keep = [open("/dev/null") for _ in range(fds)]
            os.close(started)
            os.read(alive, 1)
            os._exit(len(keep) - fds)
        children.append(pid)
        listener.close()
    os.close(started)
    os.read(starting, 1)

    server = listen(base)
    pairs = []
    for _ in range(conns):
        client = socket.create_connection(("127.0.0.1", base))
        pairs.append((client, server.accept()[0]))
    print("ready", flush=True)
    select.select([sys.stdin], [], [], seconds)
    os.close(keep_alive)
    for pid in children:
        os.waitpid(pid, 0)


main()
