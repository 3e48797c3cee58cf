#!/usr/bin/env python3
"""Open many HTTP connections, one per request, and print one record for each. Standard library only, Python >= 3.9.

It is sent to any host or pod as it is (`python3 prober.py …` or `python3 - … < prober.py`), so it imports nothing of
ours.

Output, on standard output, line by line:
  1. a header object: {"prober": 1, "columns": […], "target": …, …}
  2. one JSON array per connection that was started, in order of completion, columns as in the header
  3. a summary object: {"summary": {"started": …, "recorded": …, …}}
Every started connection has exactly one record; a reader that sees no summary, or one whose `recorded` differs from the
rows it got, knows that something was lost on the way. Ctrl-C (or SIGTERM) ends the run early: what is still open is
recorded as `interrupted`, and the summary follows.

Error classes (empty string: a whole 2xx answer):
  refused reset unreachable       the kernel's word on the connection
  timeout_connect timeout_read    our own time limits (or the kernel's)
  short                           closed before the answer was whole, also without a byte
  malformed                       not an HTTP/1.x answer
  status                          a whole answer, but not 2xx
  address_in_use                  the source port could not be taken
  local_limit                     no file descriptors, buffers or ports left here
  interrupted                     Ctrl-C came first
  errno_NAME                      anything else
"""

from __future__ import annotations

import _socket  # the C class beneath socket.socket: 8 of 120 microseconds per connection less (measured)
import argparse
import collections
import errno
import functools
import json
import os
import random
import re
import resource
import select
import signal
import socket
import sys
import time
import urllib.parse

FORMAT = 1
COLUMNS = (
    "sequence",
    "start_ns",  # wall clock, since the epoch
    "connect_us",  # start → connected; null when never
    "first_byte_us",  # start → first byte of the answer; null when none came
    "total_us",  # start → the answer was whole, or the error was known
    "source_address",
    "source_port",
    "backend",  # `Hostname:` of the whoami body; null without
    "remote_address",  # `RemoteAddr:` of the whoami body, as the server saw us; null without
    "status",  # HTTP status; null without
    "error",
)
LONGEST_ANSWER = 1 << 20
EPHEMERAL = (32768, 60999)  # Linux's default ip_local_port_range

ERRORS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EADDRINUSE: "address_in_use",
    errno.EADDRNOTAVAIL: "address_in_use",
    errno.EMFILE: "local_limit",
    errno.ENFILE: "local_limit",
    errno.ENOBUFS: "local_limit",
    errno.ENOMEM: "local_limit",
}

FAILED = select.EPOLLERR | select.EPOLLHUP
READABLE = select.EPOLLIN | FAILED
WRITABLE = select.EPOLLOUT
FINISHED = select.EPOLLRDHUP
INTEREST = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
BLOCK = 65536
STREAM = int(socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

HEADERS_END = b"\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r)")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.I)
CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.I)
HOSTNAME = re.compile(rb"^Hostname:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.M)
PLAIN = re.compile(r"[0-9A-Za-z.:\[\]-]*")
REMOTE = re.compile(rb"^RemoteAddr:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.M)


def error_class(number: int | None, connected: bool) -> str:
    """The class of a kernel error; a time-out's depends on how far the connection got."""
    if number == errno.ETIMEDOUT:
        return "timeout_read" if connected else "timeout_connect"
    number = number or 0
    return ERRORS.get(number) or "errno_" + errno.errorcode.get(number, str(number))


@functools.lru_cache(256)
def read_head(head: bytes) -> tuple[int, int | None, bool, bool]:
    """(status, content length or None, chunked, closes) of an answer's head; one server's heads differ little."""
    length = CONTENT_LENGTH.search(head)
    return (
        int(head[9:12]),
        int(length.group(1)) if length else None,
        CHUNKED.search(head) is not None,
        CLOSES.search(head) is not None,
    )


class Answer:
    """What can be said of the bytes received so far. whole: nothing is missing. broken: can never become an answer."""

    __slots__ = ("body", "broken", "closes", "status", "whole")

    def __init__(self, data: bytes, ended: bool) -> None:
        self.status: int | None = None
        self.body = b""
        self.whole = self.broken = self.closes = False
        if STATUS_LINE.match(data) is None:
            self.broken = not _may_become_status_line(data)
            return
        head_end = data.find(HEADERS_END)
        self.broken = len(data) > LONGEST_ANSWER
        if head_end < 0:
            return
        self.status, length, chunked, self.closes = read_head(data[: head_end + 2])
        self.body = data[head_end + 4 :]
        if chunked:
            self.body, self.whole, broken = unchunk(self.body)
            self.broken = self.broken or broken
        elif length is not None:
            self.whole = len(self.body) >= length
            self.broken = self.broken or len(self.body) > length
        else:
            self.whole = ended or self.status in (204, 304)


def _may_become_status_line(data: bytes) -> bool:
    return len(data) < 13 and (b"HTTP/1." + data[7:])[: len(data)] == data


def unchunk(data: bytes) -> tuple[bytes, bool, bool]:
    """Chunked body (RFC 9112, 7.1) → (body so far, whole, broken)."""
    body = b""
    while True:
        line, found, rest = data.partition(b"\r\n")
        if not found:
            return body, False, len(line) > 64
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            return body, False, True
        if size == 0:
            return body, rest.startswith(b"\r\n") or HEADERS_END in rest, False
        if len(rest) < size + 2:
            return body + rest[:size], False, False
        if rest[size : size + 2] != b"\r\n":
            return body, False, True
        body, data = body + rest[:size], rest[size + 2 :]


class Connection:
    """One request in flight. *_at are monotonic nanoseconds; 0 means: not yet."""

    __slots__ = (
        "answer",
        "connected_at",
        "data",
        "first_byte_at",
        "sequence",
        "sock",
        "source",
        "start_ns",
        "started_at",
    )

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.sock: _socket.socket | None = None
        self.source: tuple[str | None, int | None] = (None, None)
        self.data = b""
        self.answer: Answer | None = None
        self.connected_at = self.first_byte_at = 0
        self.start_ns, self.started_at = time.time_ns(), time.monotonic_ns()


def quoted(text: str) -> str:
    """JSON of a string; quicker than json for what needs no escapes, which is nearly every address."""
    return f'"{text}"' if PLAIN.fullmatch(text) else json.dumps(text)


class Records:
    """Writes records as they come, in blocks, so that a slow reader costs few system calls."""

    BLOCK = 256

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lines: list[str] = []
        self.count = 0
        self.errors: collections.Counter[str] = collections.Counter()
        self.last_flush = time.monotonic()
        self._texts: dict[str | None, str] = {None: "null"}

    def text(self, value: str | None) -> str:
        """JSON of a string; few distinct ones come often (backends, addresses, errors)."""
        known = self._texts.get(value)
        if known is None:
            known = json.dumps(value)
            if len(self._texts) < 4096:
                self._texts[value] = known
        return known

    def add(
        self,
        connection: Connection,
        now: int,
        backend: str | None,
        remote: str | None,
        status: int | None,
        error: str,
    ) -> None:
        started, text = connection.started_at, self.text
        address, port = connection.source
        connect = (connection.connected_at - started) // 1000 if connection.connected_at else "null"
        first_byte = (connection.first_byte_at - started) // 1000 if connection.first_byte_at else "null"
        self.lines.append(
            f"[{connection.sequence},{connection.start_ns},{connect},{first_byte},{(now - started) // 1000},"
            f"{text(address)},{'null' if port is None else port},{text(backend)},"
            f"{'null' if remote is None else quoted(remote)},{'null' if status is None else status},"
            f"{text(error)}]\n"
        )
        self.count += 1
        if error:
            self.errors[error] += 1
        if len(self.lines) >= self.BLOCK:
            self.flush()

    def flush(self) -> None:
        self.write("".join(self.lines))
        self.lines.clear()
        self.last_flush = time.monotonic()

    def write(self, text: str) -> None:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(self.descriptor, data) :]


class SourcePorts:
    """Which source port each connection takes: the kernel's choice (0), or ours, in turn or at random from a range."""

    def __init__(self, text: str, seed: int) -> None:
        order, _, limits = text.partition(":")
        if "-" in order:
            order, limits = "sequential", order
        if order not in ("kernel", "sequential", "random"):
            raise ValueError("source ports are kernel, sequential, random, FIRST-LAST or random:FIRST-LAST")
        first, last = (int(part) for part in limits.split("-")) if limits else EPHEMERAL
        if not 1 <= first <= last <= 65535:
            raise ValueError("source ports are FIRST-LAST with 1 <= FIRST <= LAST <= 65535")
        self.order, self.first, self.count = order, first, last - first + 1
        self.random = random.Random(seed)

    def port(self, sequence: int, addresses: int) -> int:
        """With several source addresses each port is used with every address before the next one is."""
        if self.order == "kernel":
            return 0
        if self.order == "random":
            return self.first + self.random.randrange(self.count)
        return self.first + (sequence // addresses) % self.count


class Prober:
    """The event loop: start what is due, hear the kernel, end what took too long."""

    def __init__(self, options: argparse.Namespace, target: tuple, request: bytes, records: Records) -> None:
        self.options, self.target, self.request, self.records = options, target, request, records
        self.family = int(options.family)
        self.addresses = options.source_address or [None]
        self.ports = SourcePorts(options.source_ports, options.seed)
        self.connect_limit = int(options.connect_timeout * 1e9)
        self.read_limit = int(options.read_timeout * 1e9)
        self.open: dict[int, Connection] = {}
        # both time limits are constant, so what came first is over first
        self.connecting: collections.deque[Connection] = collections.deque()
        self.reading: collections.deque[Connection] = collections.deque()
        self.started = self.late = self.longest_delay = 0
        self.stopped = False
        self.epoll = select.epoll()

    def run(self) -> None:
        self.begin = time.monotonic_ns()
        while True:
            self.start_due()
            if not self.open and self.finished():
                break
            for descriptor, event in self.epoll.poll(self.patience(), 512):
                connection = self.open.get(descriptor)
                if connection is not None:
                    self.heard(connection, event)
            self.expire()
            if self.records.lines and time.monotonic() - self.records.last_flush > 0.2:
                self.records.flush()
            if self.stopped:
                for connection in list(self.open.values()):
                    self.end(connection, "interrupted")
                break
        self.seconds = (time.monotonic_ns() - self.begin) / 1e9
        self.records.flush()

    def stop(self, *_signal: object) -> None:
        self.stopped = True

    def finished(self) -> bool:
        if self.stopped or (self.options.requests and self.started >= self.options.requests):
            return True
        return bool(self.options.duration) and time.monotonic_ns() - self.begin >= self.options.duration * 1e9

    def due_at(self) -> int:
        """When the next connection should start; 0: at once. With a rate the plan is kept whatever answers do."""
        return self.begin + int(self.started * 1e9 / self.options.rate) if self.options.rate else 0

    def start_due(self) -> None:
        while len(self.open) < self.options.concurrency and not self.finished():
            due = self.due_at()
            if due:
                delay = time.monotonic_ns() - due
                if delay < 0:
                    return
                if delay > 10_000_000:
                    self.late += 1
                self.longest_delay = max(self.longest_delay, delay)
            self.start()

    def patience(self) -> float:
        """Seconds the kernel may keep us waiting: until something is due or over, and at most 0.1 for Ctrl-C."""
        until = [self.due_at()] if self.options.rate and len(self.open) < self.options.concurrency else []
        if self.connecting:
            until.append(self.connecting[0].started_at + self.connect_limit)
        if self.reading:
            until.append(self.reading[0].connected_at + self.read_limit)
        if not until:
            return 0.1
        return min(0.1, max(0.0, (min(until) - time.monotonic_ns()) / 1e9))

    def start(self) -> None:
        sequence, self.started = self.started, self.started + 1
        connection = Connection(sequence)
        try:
            self.dial(connection, sequence)
        except OSError as error:
            self.end(connection, error_class(error.errno, False))

    def dial(self, connection: Connection, sequence: int) -> None:
        sock = connection.sock = _socket.socket(self.family, STREAM, 0)
        address = self.addresses[sequence % len(self.addresses)]
        port = self.ports.port(sequence, len(self.addresses))
        connection.source = (address, port or None)
        if port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif address:
            # IP_BIND_ADDRESS_NO_PORT: a port then need only be free towards this target, not altogether
            sock.setsockopt(socket.IPPROTO_IP, 24, 1)
        if port or address:
            sock.bind((address or "", port))
        number = sock.connect_ex(self.target)
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
        connection.source = sock.getsockname()[:2]
        descriptor = sock.fileno()
        self.open[descriptor] = connection
        self.connecting.append(connection)
        self.epoll.register(descriptor, INTEREST)

    def heard(self, connection: Connection, event: int) -> None:
        try:
            if not connection.connected_at:
                self.connect(connection, event)
            if connection.connected_at and event & READABLE:
                self.receive(connection, bool(event & FINISHED))
        except BlockingIOError:
            pass
        except OSError as error:
            # a server that answers and resets at once has answered: what came before the reset counts
            answer = connection.answer
            if answer is not None and answer.whole:
                self.end_answered(connection, answer)
            else:
                self.end(connection, error_class(error.errno, bool(connection.connected_at)))

    def connect(self, connection: Connection, event: int) -> None:
        sock = connection.sock
        if sock is None:
            return
        if event & FAILED:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
        if event & WRITABLE:
            connection.connected_at = time.monotonic_ns()
            self.reading.append(connection)
            # a fresh connection's send buffer is empty, so a request of a few hundred bytes always goes in whole
            sock.send(self.request)

    def receive(self, connection: Connection, finished: bool) -> None:
        """Read all there is (edge-triggered), until the answer is judged or the kernel has no more.

        finished: the server's FIN has come, so a block that is not full is the last, and no further read need tell.

        "Connection: close" was asked for. If the server says so too, its FIN is awaited, so that TIME_WAIT stays there
        and our source port is free at once; otherwise 28,000 connections a minute would be the limit.
        """
        while connection.sock is not None:
            block = connection.sock.recv(BLOCK)
            if block:
                self.grown(connection, block)
            if len(block) == BLOCK or connection.sock is None:
                continue
            if not block or finished:
                self.closed(connection)
            return

    def grown(self, connection: Connection, block: bytes) -> None:
        if not connection.first_byte_at:
            connection.first_byte_at = time.monotonic_ns()
        connection.data += block
        answer = connection.answer = Answer(connection.data, False)
        if answer.broken:
            self.end(connection, "malformed", answer.status)
        elif answer.whole and not answer.closes:
            self.end_answered(connection, answer)

    def closed(self, connection: Connection) -> None:
        answer = connection.answer
        if answer is None or not answer.whole:
            answer = Answer(connection.data, True)
        if answer.whole:
            self.end_answered(connection, answer)
        else:
            self.end(connection, "malformed" if answer.broken else "short", answer.status)

    def end_answered(self, connection: Connection, answer: Answer) -> None:
        backend, remote = HOSTNAME.search(answer.body), REMOTE.search(answer.body)
        self.end(
            connection,
            "" if 200 <= (answer.status or 0) <= 299 else "status",
            answer.status,
            backend.group(1).decode("utf-8", "replace") if backend else None,
            remote.group(1).decode("utf-8", "replace") if remote else None,
        )

    def end(
        self,
        connection: Connection,
        error: str,
        status: int | None = None,
        backend: str | None = None,
        remote: str | None = None,
    ) -> None:
        now = time.monotonic_ns()
        if connection.sock is not None:
            self.open.pop(connection.sock.fileno(), None)
            connection.sock.close()
            connection.sock = None
        self.records.add(connection, now, backend, remote, status, error)

    def expire(self) -> None:
        """End what took too long. Connections that ended or went on meanwhile are dropped from the head."""
        now = time.monotonic_ns()
        while self.connecting:
            connection = self.connecting[0]
            if connection.sock is not None and not connection.connected_at:
                if now < connection.started_at + self.connect_limit:
                    break
                self.end(connection, "timeout_connect")
            self.connecting.popleft()
        while self.reading:
            connection = self.reading[0]
            if connection.sock is not None:
                if now < connection.connected_at + self.read_limit:
                    break
                answer = Answer(connection.data, False)
                if answer.whole:  # whole, but the promised close never came
                    self.end_answered(connection, answer)
                else:
                    self.end(connection, "timeout_read", answer.status)
            self.reading.popleft()


def parse(argv: list[str] | None) -> argparse.Namespace:
    about = "One new HTTP connection per request, one record each."
    parser = argparse.ArgumentParser(prog="prober.py", description=about)
    add = parser.add_argument
    add("--url", required=True, help="http://HOST[:PORT]/PATH")
    add("--requests", type=int, default=0, help="how many connections; 0: until --duration or Ctrl-C")
    add("--concurrency", type=int, default=0, help="how many at a time (default: 32, more with --rate)")
    add("--rate", type=float, default=0.0, help="connections per second, started on time whatever answers do")
    add("--duration", type=float, default=0.0, help="seconds after which no more are started")
    add("--source-ports", default="kernel", help="kernel | sequential | random | FIRST-LAST | random:FIRST-LAST")
    add("--source-address", action="append", help="local address; several are used in turn")
    add("--connect-timeout", type=float, default=2.0, help="seconds from start to connected")
    add("--read-timeout", type=float, default=5.0, help="seconds from connected to a whole answer")
    add("--host-header", default="", help="Host header, when it is not the URL's")
    add("--seed", type=int, default=0, help="of random source ports")
    options = parser.parse_args(argv)
    options.parser = parser
    for name in ("requests", "concurrency", "rate", "duration"):
        if getattr(options, name) < 0:
            parser.error(f"--{name} cannot be negative")
    for name in ("connect_timeout", "read_timeout"):
        if getattr(options, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if not options.concurrency:
        waiting = options.rate * (options.connect_timeout + options.read_timeout)
        options.concurrency = min(4096, 32 + int(waiting))
    try:
        SourcePorts(options.source_ports, 0)
    except ValueError as error:
        parser.error(str(error))
    return options


def resolve(options: argparse.Namespace) -> tuple[tuple, bytes]:
    """The URL's target: (socket address, request bytes); sets options.family. Ends with 2 on a URL that is none."""
    url = urllib.parse.urlsplit(options.url)
    try:
        port = url.port or 80
    except ValueError:
        port = 0
    if url.scheme != "http" or not url.hostname or not port:
        options.parser.error(f"--url must be http://HOST[:PORT]/PATH, not {options.url!r}")
    found = socket.getaddrinfo(url.hostname, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    # IPv4 first, as the lab is
    options.family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    path = (url.path or "/") + ("?" + url.query if url.query else "")
    lines = (f"GET {path} HTTP/1.1", f"Host: {options.host_header or url.netloc}", "User-Agent: bgp-lab-prober")
    request = "\r\n".join((*lines, "Accept: */*", "Connection: close", "", ""))
    return address, request.encode("latin-1")


def allow_descriptors(concurrency: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < concurrency + 64:
        wanted = concurrency + 64 if hard == resource.RLIM_INFINITY else min(hard, concurrency + 64)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def header(options: argparse.Namespace, target: tuple) -> dict:
    return {
        "prober": FORMAT,
        "columns": COLUMNS,
        "url": options.url,
        "target": f"{target[0]}:{target[1]}",
        "host": socket.gethostname(),
        "requests": options.requests,
        "concurrency": options.concurrency,
        "rate": options.rate,
        "duration": options.duration,
        "source_ports": options.source_ports,
        "source_addresses": options.source_address or [],
        "seed": options.seed,
        "python": sys.version.split()[0],
    }


def summary(prober: Prober, requested: int) -> dict:
    """late: connections started over 10 ms after their turn, with --rate: the prober could not keep its plan."""
    used, count = resource.getrusage(resource.RUSAGE_SELF), prober.records.count
    return {
        "requested": requested or None,
        "started": prober.started,
        "recorded": count,
        "interrupted": prober.stopped,
        "seconds": round(prober.seconds, 6),
        "per_second": round(count / prober.seconds, 1) if prober.seconds else 0,
        "errors": dict(prober.records.errors),
        "late": prober.late,
        "longest_delay_ms": round(prober.longest_delay / 1e6, 3),
        "cpu_us_per_connection": round((used.ru_utime + used.ru_stime) * 1e6 / max(1, count), 1),
    }


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    try:
        target, request = resolve(options)
    except (OSError, UnicodeError) as error:
        print(f"prober: {options.url}: {error}", file=sys.stderr)
        return 3
    allow_descriptors(options.concurrency)
    records = Records(sys.stdout.fileno())
    prober = Prober(options, target, request, records)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, prober.stop)
    records.write(json.dumps(header(options, target)) + "\n")
    prober.run()
    records.write(json.dumps({"summary": summary(prober, options.requests)}) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os._exit(1)  # nobody reads any more; nothing more to say
