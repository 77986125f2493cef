"""Makes a network of its own with a loopback interface, says "ready", and keeps it."""

import fcntl
import signal
import socket
import struct

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
print("ready", flush=True)
signal.pause()
