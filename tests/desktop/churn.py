"""Opens and closes ports, and makes reservations come and go, until it is told to stop.

usage: churn.py SOCKET

Workers, which are replaced all the time, listen on a port of the system's choice for a while each:
together they open and close 20 ports a second, TCP and UDP, IPv4 and IPv6. A client of the app makes
five reservations a second and releases as many. At the end of standard input, all but three workers
with two ports each end; what was done and what is still open is printed as JSON, and these stay until
the next line.
"""

import json
import os
import random
import select
import signal
import socket
import sys
import time

WORKERS = 5
PORTS_A_SECOND = 20
RESERVATIONS_A_SECOND = 5
KINDS = [
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
    (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0"),
]


def opened():
    """A socket on a port, which listens if it can."""
    family, kind, address = random.choice(KINDS)
    found = socket.socket(family, kind)
    found.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        found.listen()
    return found


def work(tell, life):
    """A worker: opens and closes at its share of the rate, and ends."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end, ports, count = time.monotonic() + life, [], 0
    while time.monotonic() < end:
        try:
            ports.append(opened())
            count += 1
        except OSError:
            pass
        if len(ports) > random.randint(1, 8):
            ports.pop(random.randrange(len(ports))).close()
        time.sleep(WORKERS / PORTS_A_SECOND)
    os.write(tell, count.to_bytes(4, "little"))
    os._exit(0)


def stay(tell):
    """A worker that is still there at the end."""
    ports = [opened(), opened()]
    line = json.dumps([[p.getsockname()[1], "udp" if p.type & socket.SOCK_DGRAM == p.type else "tcp"] for p in ports])
    os.write(tell, line.encode() + b"\n")
    signal.pause()


class App:
    """The app's socket."""

    def __init__(self, path):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.connect(path)
        self.lines = self.stream.makefile("rw")

    def ask(self, **request):
        self.lines.write(json.dumps(request) + "\n")
        self.lines.flush()
        return json.loads(self.lines.readline())


def main():
    app = App(sys.argv[1])
    counted, tell = os.pipe()
    os.set_blocking(counted, False)
    workers, kept, done = set(), [], {"opened": 0, "workers": 0, "reserved": 0, "released": 0, "refused": 0}
    while not select.select([sys.stdin], [], [], 1 / RESERVATIONS_A_SECOND)[0]:
        while len(workers) < WORKERS:
            pid = os.fork()
            if pid == 0:
                work(tell, random.uniform(1, 6))
            workers.add(pid)
            done["workers"] += 1
        for pid in list(workers):
            if os.waitpid(pid, os.WNOHANG)[0]:
                workers.discard(pid)
        try:
            while counts := os.read(counted, 4):
                done["opened"] += int.from_bytes(counts, "little")
        except BlockingIOError:
            pass
        port = random.randint(20000, 29999)
        reply = app.ask(cmd="RESERVE", ports=[port], project=f"soak-{random.randint(1, 20)}", ttl_s=600)
        if reply["status"] == "success":
            kept.append(port)
            done["reserved"] += 1
        else:
            done["refused"] += 1
        if len(kept) > 40:
            gone = kept.pop(random.randrange(len(kept)))
            if app.ask(cmd="RELEASE", ports=[gone], as_user=True)["status"] == "success":
                done["released"] += 1
    sys.stdin.readline()
    for pid in workers:
        os.waitpid(pid, 0)
    rows, stays = os.pipe()
    lasting = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            stay(stays)
        lasting.append(pid)
    lines = os.fdopen(rows)
    done["open"] = [row for _ in lasting for row in json.loads(lines.readline())]
    done["kept"] = kept
    print(json.dumps(done), flush=True)
    sys.stdin.readline()
    for pid in lasting:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


main()
