"""Runs a command on a terminal of its own, and prints what came out.

usage: terminal.py COLUMNS ANSWER COMMAND...
ANSWER is typed when the output ends with "[y/N] "; it may be empty.
"""

import fcntl
import os
import pty
import struct
import sys
import termios

columns, answer, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    # Nothing starts before the terminal has its size.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.execvp(command[0], command)
output = b""
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        # The other end is closed.
        break
    if not piece:
        break
    output += piece
    if answer and output.endswith(b"[y/N] "):
        os.write(terminal, answer.encode() + b"\n")
sys.stdout.buffer.write(output.replace(b"\r\n", b"\n"))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
