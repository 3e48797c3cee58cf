"""A real server on loopback that answers as whoami does, or misbehaves as its path says."""

import contextlib
import itertools
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from bgplab.lab.shell import Completed
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.traffic.probe import SOURCE, parse

BODY = b"Hostname: %s\nIP: 127.0.0.1\nRemoteAddr: %s:%d\nGET / HTTP/1.1\n"


def whole(body, extra=b"Connection: close\r\n"):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), extra, body)


class Server:
    """One thread per connection; `seen` counts accepted connections, the witness against the prober's records."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = self.listener.getsockname()
        self.seen = 0
        self.names = itertools.cycle([b"webpod-a", b"webpod-b", b"webpod-c"])
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.address[1]}{path}"

    def accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            self.seen += 1
            threading.Thread(target=self.serve, args=(connection, peer, self.seen), daemon=True).start()

    def serve(self, connection, peer, number):
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            path = request.split()[1].decode()
            if path == "/every-fifth-resets":
                path = "/reset" if number % 5 == 0 else "/"
            getattr(self, "path_" + path.strip("/").replace("-", "_"))(connection, peer)

    def wait_until_seen(self, count):
        """Until so many connections were accepted."""
        wait_until(lambda: self.seen, holds=lambda seen: seen >= count, within=Deadline.after(20), what="connections")

    def body(self, peer):
        return BODY % (next(self.names), peer[0].encode(), peer[1])

    def path_(self, connection, peer):
        connection.sendall(whole(self.body(peer)))

    def path_kept_open(self, connection, peer):
        connection.sendall(whole(self.body(peer), b""))
        self.stopped.wait(5)

    def path_promises_to_close(self, connection, peer):
        connection.sendall(whole(self.body(peer)))
        self.stopped.wait(5)

    def path_slowly(self, connection, peer):
        for byte in whole(self.body(peer)):
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)

    def path_chunked(self, connection, peer):
        body = self.body(peer)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:]))
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    def path_reset(self, connection, _peer):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def path_hang(self, _connection, _peer):
        self.stopped.wait(5)

    def path_short(self, connection, peer):
        connection.sendall(whole(self.body(peer))[:-7])

    def path_nothing(self, _connection, _peer):
        pass

    def path_malformed(self, connection, _peer):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    def path_too_long(self, connection, _peer):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nfour")

    def path_unavailable(self, connection, _peer):
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def path_hostile(self, connection, _peer):
        connection.sendall(whole(b'Hostname: "],[<script>\\\xff\nRemoteAddr: 1.2.3.4:5\n'))

    def close(self):
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


def run_prober(*arguments):
    """The prober as a process of its own, as on a host; its parsed output."""
    argv = [sys.executable, str(SOURCE), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    return parse(Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.0), "here")


@pytest.fixture
def prober():
    return run_prober
