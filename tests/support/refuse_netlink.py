"""Runs a command in a sandbox that refuses netlink sockets: socket(AF_NETLINK, ...) gives EPERM.

Ends with status 77 where such a sandbox cannot be made.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, EPERM = 0x7FFF0000, 0x00050000 | 1
AF_NETLINK = 16
SYSTEM_CALL = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
if SYSTEM_CALL is None:
    sys.exit(77)


def step(code, value, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, value)


program = b"".join(
    [
        step(LOAD, 0),  # the number of the system call
        step(JUMP_IF_EQUAL, SYSTEM_CALL, 0, 3),
        step(LOAD, 16),  # its first argument, the lower half
        step(JUMP_IF_EQUAL, AF_NETLINK, 0, 1),
        step(RETURN, EPERM),
        step(RETURN, ALLOW),
    ]
)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
steps = ctypes.create_string_buffer(program)
filter = Program(len(program) // 8, ctypes.cast(steps, ctypes.c_char_p))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
    PR_SET_SECCOMP, FILTER_MODE, ctypes.addressof(filter), 0, 0
):
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
