"""Runs a command below an interactive shell on a terminal, and types at it as a person does.

usage: job_control.py COMMAND...
The command is to print "up", and "got SIGNAL N" for each signal that it gets. What was seen is
printed as JSON: for each step, whether it came.
"""

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time

PATIENCE = 60
seen = {}
text = b""


def until(name, wanted, patience=PATIENCE):
    """Reads until the text is there that is wanted; all before it is forgotten."""
    global text
    deadline = time.time() + patience
    while wanted not in text and time.time() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:
                break
    there = wanted in text
    if there:
        text = text.split(wanted, 1)[1]
    if name:
        seen[name] = there if there else text.decode(errors="replace")
    return there


def type_in(line):
    os.write(terminal, line)


pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
command = " ".join(shlex.quote(word) for word in sys.argv[1:])
type_in(b"PS1=; set -m; bind 'set enable-bracketed-paste off'; stty -echo; echo rea''dy\n")
until(None, b"ready\r\n")
type_in(command.encode() + b"; echo status $?\n")
until("starts", b"up ")
line = b""
until(None, b"\r\n")
type_in(b"\x03")
until("interrupt", b"got SIGINT 1")
type_in(b"\x1a")
until("stop", b"Stopped")
until("status of the stop", b"status 148")
type_in(b"fg\n")
until("foreground", b"got SIGCONT 1")
type_in(b"\x1a")
until("stop again", b"Stopped")
type_in(b"bg\n")
until("background", b"got SIGCONT 2")
type_in(b"kill -STOP %1; while ! jobs -s | grep -q Stopped; do sleep 0.01; done; echo al''l\n")
until("stopped by a process", b"all")
type_in(b"kill -CONT %1\n")
until("continued by a process", b"got SIGCONT 3")
type_in(b"kill -TERM %1\n")
until("group", b"got SIGTERM 1")
type_in(b"kill -USR1 $(jobs -p %1)\n")
until("front alone", b"got SIGUSR1 1")
# The shell sends no SIGCONT to what it knows to run.
type_in(b"while ! jobs -r | grep -q Running; do sleep 0.01; done; fg\n")
until("foreground again", b"job_control_target")
while os.tcgetpgrp(terminal) == pid:
    time.sleep(0.01)
type_in(b"\x03")
until("last interrupt", b"got SIGINT 2")
# What it got in all is printed at its end: nothing came twice.
until("counts", b"counted SIGCONT=3 SIGINT=2 SIGTERM=1 SIGUSR1=1\r\n")
type_in(b"echo left $?\n")
until("its status", b"left 5")
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
print(json.dumps(seen))
