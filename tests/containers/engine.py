"""A stand-in for a container engine: it speaks what is needed of Docker's API on a Unix socket, in the
form that Docker's documentation gives, and ends a process when its container is stopped.

It reads its containers from a file at each request, and writes each request as a line of JSON."""

import argparse
import json
import os
import signal
import socketserver
import time
from http.server import BaseHTTPRequestHandler

options = argparse.ArgumentParser()
options.add_argument("socket")
options.add_argument("containers", help="a file with the answer to /containers/json")
options.add_argument("--slow", type=float, default=0, help="seconds before each list")
options.add_argument("--broken", help="what is sent instead of each list")
options.add_argument("--refuse", action="store_true", help="stop nothing")
options.add_argument("--deaf", action="store_true", help="say that it was stopped, and do nothing")
options = options.parse_args()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass

    def log_request(self, *_):
        print(json.dumps([self.command, self.path]), flush=True)

    def answer(self, status, body=b"", chunked=False):
        self.send_response(status)
        self.send_header("Server", "Docker/28.2.2 (linux)")
        self.send_header("Content-Type", "application/json")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 100):
                part = body[at : at + 100]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # Who has read the head of an answer without a body may be gone.
        if body:
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/_ping":
            return self.answer(200, b"OK")
        if self.path != "/containers/json":
            return self.answer(404, b'{"message":"page not found"}')
        time.sleep(options.slow)
        if options.broken is not None:
            self.log_request()
            self.close_connection = True
            return self.wfile.write(options.broken.encode().decode("unicode_escape").encode("latin-1"))
        with open(options.containers, "rb") as file:
            self.answer(200, file.read(), chunked=True)

    def do_POST(self):
        path = self.path.split("?")[0].split("/")
        with open(options.containers) as file:
            known = {one["Id"]: one for one in json.load(file)}
        if path[1:2] != ["containers"] or path[-1] not in ("stop", "kill"):
            return self.answer(404, b'{"message":"page not found"}')
        if path[2] not in known:
            return self.answer(404, b'{"message":"No such container: %s"}' % path[2].encode())
        if options.refuse:
            return self.answer(500, b'{"message":"cannot stop container: permission \\u001b denied"}')
        for pid in [] if options.deaf else known[path[2]]["Pids"]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return self.answer(304)
        self.answer(204)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


server = Server(options.socket, Handler)
os.chmod(options.socket, 0o666)
print("ready", flush=True)
server.serve_forever()
