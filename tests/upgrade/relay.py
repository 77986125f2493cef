"""Stands where the app does, and hands everything on to the real one behind it, as an app of another
version would say it: its version and its protocol are others, it has fields that nobody knows yet, and
lacks a command.

usage: relay.py FOLDER REAL VERSION PROTOCOL [LACKING]
"""

import fcntl
import json
import os
import socket
import sys
import threading

folder, real, version, protocol = sys.argv[1:5]
lacking = sys.argv[5:]


def told(line, asked):
    reply = json.loads(line)
    if "version" in reply:
        reply["version"] = version
    if "protocol" in reply:
        reply["protocol"] = int(protocol)
    if asked == "HELLO":
        reply["pid"] = os.getpid()
    # Every object, in every depth, has something of the future in it.
    def add(value):
        if isinstance(value, dict):
            for inner in value.values():
                add(inner)
            if "set" not in value:
                value["of_the_future"] = {"deep": [1, None, "x"]}
        elif isinstance(value, list):
            for inner in value:
                add(inner)
    add(reply)
    return json.dumps(reply).encode() + b"\n"


def serve(client):
    app = socket.socket(socket.AF_UNIX)
    app.connect(os.path.join(real, "freeport.sock"))
    answers = app.makefile("rb")
    for line in client.makefile("rb"):
        asked = json.loads(line)["cmd"]
        if asked in lacking:
            refused = {"status": "error", "code": "unknown_command", "message": "there is no command " + asked}
            client.sendall(json.dumps(refused).encode() + b"\n")
            continue
        app.sendall(line)
        client.sendall(told(answers.readline(), asked))


os.mkdir(folder, 0o700)
lock = open(os.path.join(folder, "freeport.lock"), "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print(os.getpid(), file=lock, flush=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.path.join(folder, "freeport.sock"))
listener.listen(16)
print("ready", flush=True)
while True:
    stream, _ = listener.accept()
    threading.Thread(target=serve, args=[stream], daemon=True).start()
