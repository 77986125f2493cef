"""Servers for the tests of holds: server.py KIND PORT [ADDRESS]. Each says its pid to who connects.

Ends with status 98 (EADDRINUSE) where the port is in use, and with 1 where anything else is wrong.
"""

import ctypes
import errno
import os
import socket
import subprocess
import sys
import threading

kind, port = sys.argv[1], int(sys.argv[2])
address = sys.argv[3] if len(sys.argv) > 3 else "0.0.0.0"


def made(address=address, kind=socket.SOCK_STREAM, protocol=0, share=False, reuse=True):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind, protocol)
    if reuse:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


def listening(address=address, **options):
    server = made(address, **options)
    server.bind((address, port))
    server.listen()
    return server


def serve(server):
    while True:
        peer, _ = server.accept()
        peer.sendall(b"%d\n" % os.getpid())
        peer.close()


def refused(act, number):
    try:
        act()
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError("it was not refused")


def plain():
    serve(listening())


def without_reuse():
    serve(listening(reuse=False))


def mptcp():
    serve(listening(protocol=262))


def thread():
    threading.Thread(target=plain).start()


def child():
    os.execv(sys.executable, [sys.executable, __file__, "plain", str(port), address])


def grandchild():
    sys.exit(subprocess.run([sys.executable, __file__, "plain", str(port), address]).returncode)


def undumpable():
    """Nobody but root may look into it then."""
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    plain()


def twice():
    """What listens keeps the port, as without the seam."""
    first = listening()
    refused(lambda: listening(), errno.EADDRINUSE)
    refused(lambda: listening(reuse=False), errno.EADDRINUSE)
    refused(lambda: listening("127.0.0.1"), errno.EADDRINUSE)
    first.close()
    serve(listening())


def shared():
    """What it shares on purpose stays shared."""
    servers = [listening(share=True) for _ in range(3)]
    refused(lambda: listening(), errno.EADDRINUSE)
    assert servers[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    for server in servers:
        threading.Thread(target=serve, args=(server,)).start()


def both():
    """127.0.0.1 and ::1 are two addresses."""
    v4, v6 = listening("127.0.0.1"), listening("::1")
    threading.Thread(target=serve, args=(v6,)).start()
    serve(v4)


def reload():
    """Closes and binds again, with connections that linger, and in processes of its own."""
    for _ in range(50):
        server = listening()
        client = socket.create_connection(("127.0.0.1", port))
        peer, _ = server.accept()
        peer.close()
        client.recv(1)
        client.close()
        server.close()
    for _ in range(10):
        pid = os.fork()
        if not pid:
            listening()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    plain()


def wrong():
    """Errors are those of the system."""
    libc = ctypes.CDLL(None, use_errno=True)

    def bind(descriptor, at, length):
        if libc.bind(descriptor, ctypes.c_void_p(at), length) != 0:
            raise OSError(ctypes.get_errno(), "bind")

    server = made()
    refused(lambda: bind(server.fileno(), 8, 16), errno.EFAULT)
    text = ctypes.create_string_buffer(bytes([2, 0, port >> 8, port & 255]) + bytes(124))
    at = ctypes.addressof(text)
    refused(lambda: bind(99, at, 16), errno.EBADF)
    refused(lambda: bind(0, at, 16), errno.ENOTSOCK)
    refused(lambda: bind(server.fileno(), at, 3), errno.EINVAL)
    refused(lambda: bind(server.fileno(), at, 4096), errno.EINVAL)
    refused(lambda: bind(server.fileno(), at, -1), errno.EINVAL)
    refused(lambda: server.bind(("192.0.2.1", port)), errno.EADDRNOTAVAIL)
    six = made("::")
    refused(lambda: bind(six.fileno(), at, 28), errno.EAFNOSUPPORT)
    # What is no port is nobody's business.
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("")
    any = made()
    any.bind(("127.0.0.1", 0))
    assert any.getsockname()[1] not in (0, port)
    server.bind((address, port))
    refused(lambda: server.bind((address, port)), errno.EINVAL)
    server.listen()
    serve(server)


def network():
    """In a network of its own, the port is another one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0:
        sys.exit(77)
    listening("0.0.0.0", reuse=False)


def udp(share=False):
    server = made(kind=socket.SOCK_DGRAM, reuse=False, share=share)
    server.bind((address, port))
    refused(lambda: made(kind=socket.SOCK_DGRAM, reuse=False).bind((address, port)), errno.EADDRINUSE)
    while True:
        text, sender = server.recvfrom(100)
        server.sendto(b"%d %s" % (os.getpid(), text), sender)


try:
    globals()[kind]()
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(98 if error.errno == errno.EADDRINUSE else 1)
