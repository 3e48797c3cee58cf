"""What the image traefik/whoami answers: who was asked, and by whom. Standard library only, one thread.

A connection costs six system calls: with TCP_DEFER_ACCEPT it is accepted when its request is there already.

usage: whoami.py [-port NUMBER] [-name TEXT] [-verbose]   (or WHOAMI_PORT_NUMBER, WHOAMI_NAME)
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time

_SIOCGIFADDR = 0x8915
_LONGEST_HEAD = 65536
_ACCEPTS_AT_ONCE = 64
_REMEMBERED_REQUESTS = 256


def main(arguments: list[str]) -> None:
    port, name = _settings(arguments, os.environ)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(4096)
    listener.setblocking(False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} Starting up on port {port}", flush=True)
    gc.freeze()
    Server(listener, name).run()


def _settings(arguments: list[str], environment: os._Environ[str] | dict[str, str]) -> tuple[int, str]:
    """Port and name, as the image's own flags and variables set them; one or two dashes, with a space or `=`."""
    port, name = environment.get("WHOAMI_PORT_NUMBER", "80"), environment.get("WHOAMI_NAME", "")
    words = [word for argument in arguments for word in (argument.split("=", 1) if argument[:1] == "-" else [argument])]
    while words:
        flag = words.pop(0)
        match flag.lstrip("-"):
            case "port" if words:
                port = words.pop(0)
            case "name" if words:
                name = words.pop(0)
            case "verbose":
                pass
            case _:
                sys.exit(f"flag provided but not defined: {flag}")
    return int(port), name


class Server:
    """Answers requests on a listening socket, for ever."""

    def __init__(self, listener: socket.socket, name: str) -> None:
        self._listener = listener
        self._name = f"Name: {name}\n" if name else ""
        self._poll = select.epoll()
        self._waiting: dict[int, tuple[socket.socket, bytes, bytearray]] = {}
        self._requests: dict[bytes, Understood] = {}
        self._second, self._date, self._about_me = 0, b"", b""

    def run(self) -> None:
        listening = self._listener.fileno()
        self._poll.register(listening, select.EPOLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == listening:
                    self._accept()
                else:
                    self._go_on(descriptor)

    def _accept(self) -> None:
        # Bare descriptors: a socket object per connection costs as much as all the rest.
        accept = self._listener._accept  # type: ignore[attr-defined]
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                descriptor, (address, port) = accept()
            except OSError:
                return
            peer = b"%s:%d" % (address.encode(), port)
            os.set_blocking(descriptor, False)
            try:
                data = os.read(descriptor, _LONGEST_HEAD)
            except BlockingIOError:
                self._wait_for(descriptor, peer, bytearray())
                continue
            except OSError:
                os.close(descriptor)
                continue
            if data[:4] == b"GET " and data.find(b"\r\n\r\n") == len(data) - 4:
                self._answer_first(descriptor, peer, data)
            else:
                buffer = bytearray(data)
                connection = self._wait_for(descriptor, peer, buffer)
                self._take(connection, peer, buffer, ended=not data)

    def _answer_first(self, descriptor: int, peer: bytes, data: bytes) -> None:
        """The usual case: the whole of one GET request came with the connection."""
        response, keep = self._respond(data, peer)
        try:
            os.write(descriptor, response)  # a new connection's buffer takes it whole
        except OSError:
            keep = False
        if keep:
            self._wait_for(descriptor, peer, bytearray())
        else:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, peer: bytes, buffer: bytearray) -> socket.socket:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
        connection.setblocking(False)
        self._waiting[descriptor] = (connection, peer, buffer)
        self._poll.register(descriptor, select.EPOLLIN)
        return connection

    def _go_on(self, descriptor: int) -> None:
        connection, peer, buffer = self._waiting[descriptor]
        try:
            data = connection.recv(_LONGEST_HEAD)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        buffer += data
        self._take(connection, peer, buffer, ended=not data)

    def _take(self, connection: socket.socket, peer: bytes, buffer: bytearray, ended: bool) -> None:
        """Answer every whole request in the buffer."""
        keep = not ended
        while keep and (request := _first_request(buffer)):
            response, keep = self._respond(request, peer)
            try:
                connection.settimeout(1.0)
                connection.sendall(response)
                connection.setblocking(False)
            except OSError:
                keep = False
        if not keep or len(buffer) > _LONGEST_HEAD:
            descriptor = connection.fileno()
            self._poll.unregister(descriptor)
            del self._waiting[descriptor]
            connection.close()

    def _respond(self, request: bytes, peer: bytes) -> tuple[bytes, bool]:
        """Response and whether the connection stays."""
        known = self._requests.get(request)
        if known is None:
            known = _understood(request)
            if len(self._requests) > _REMEMBERED_REQUESTS:
                self._requests.clear()
            self._requests[request] = known
        now = int(time.time())
        if now != self._second:
            self._renew(now)
        if known.path == b"/":
            body = b"%sRemoteAddr: %s\n%s" % (self._about_me, peer, known.echo)
        elif known.path == b"/api":
            body = _api(request, peer)
        else:
            body = known.body
        sent = b"" if known.method == b"HEAD" else body
        return b"HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
            known.status, self._date, len(body), known.fields, sent
        ), known.keep  # fmt: skip

    def _renew(self, now: int) -> None:
        """Date, hostname and addresses, looked up each second: addresses may come after the start."""
        self._second, self._date = now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode()
        lines = [f"Hostname: {socket.gethostname()}", *(f"IP: {address}" for address in _addresses())]
        self._about_me = (self._name + "\n".join(lines) + "\n").encode()


class Understood:
    """What follows from a request's bytes alone; load tests send the same ones again and again."""

    __slots__ = ("body", "echo", "fields", "keep", "method", "path", "status")

    def __init__(self, status: bytes, method: bytes, path: bytes, keep: bool, fields: bytes, echo: bytes) -> None:
        self.status, self.method, self.path, self.keep, self.fields, self.echo = (
            status,
            method,
            path,
            keep,
            fields,
            echo,
        )
        self.body = {b"/bench": b"1", b"/health": b""}.get(path, status)


def _understood(request: bytes) -> Understood:
    line, *fields = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    words = line.split(b" ")
    kind = b"Content-Type: text/plain; charset=utf-8\r\n"
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return Understood(b"400 Bad Request", b"", b"", False, kind + b"Connection: close\r\n", b"")
    modern = words[2] != b"HTTP/1.0"
    asked = b",".join(entry[11:].lower() for entry in fields if entry[:11].lower() == b"connection:")
    keep = b"close" not in asked if modern else b"keep-alive" in asked
    if not keep:
        kind += b"Connection: close\r\n"
    elif not modern:
        kind += b"Connection: keep-alive\r\n"
    path = words[1].split(b"?", 1)[0]
    if path not in (b"/bench", b"/health", b"/api"):
        path = b"/"  # the image answers every other path alike
    return Understood(b"200 OK", words[0], path, keep, kind, _as_sent(words, fields) + b"\r\n\r\n")


def _api(request: bytes, peer: bytes) -> bytes:
    line, *fields = request.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    method, url, _ = line.split(" ")
    headers: dict[str, list[str]] = {}
    for entry in fields:
        name, _, value = entry.partition(":")
        headers.setdefault(name.strip().title(), []).append(value.strip())
    host = headers.pop("Host", [""])[0]
    told = {"hostname": socket.gethostname(), "ip": _addresses(), "headers": headers, "url": url, "host": host,
            "method": method, "remoteAddr": peer.decode()}  # fmt: skip
    return json.dumps(told).encode() + b"\n"


def _first_request(buffer: bytearray) -> bytes:
    """Take one whole request off the buffer; empty when it is not there yet."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return b""
    length = 0
    for line in bytes(buffer[:end]).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    if len(buffer) < end + 4 + length:
        return b""
    request = bytes(buffer[: end + 4])
    del buffer[: end + 4 + length]
    return request


def _as_sent(words: list[bytes], fields: list[bytes]) -> bytes:
    """The request as the image prints it: Host and User-Agent first, the rest by name (Go's Request.Write)."""
    first, second, rest = [], [], []
    for entry in fields:
        start = entry[:11].lower()
        if start[:5] == b"host:":
            first.append(entry)
        elif start == b"user-agent:":
            second.append(entry)
        else:
            rest.append(entry)
    return b"\r\n".join([b"%s %s HTTP/1.1" % (words[0], words[1]), *first, *second, *sorted(rest)])


def _addresses() -> list[str]:
    """Every interface's addresses, IPv4 before IPv6."""
    found: dict[str, list[str]] = {name: [] for _, name in sorted(socket.if_nameindex())}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for name in found:
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue
            found[name].append(socket.inet_ntoa(answer[20:24]))
    try:
        with open("/proc/net/if_inet6") as table:
            for line in table:
                digits, *_, name = line.split()
                found.setdefault(name, []).append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    except OSError:
        pass
    return [address for addresses in found.values() for address in addresses]


if __name__ == "__main__":
    main(sys.argv[1:])
