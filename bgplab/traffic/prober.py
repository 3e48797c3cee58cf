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
import gc
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
WHOLE = select.EPOLLIN | select.EPOLLRDHUP
ANSWERS = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
INTEREST = ANSWERS | select.EPOLLOUT
BLOCK = 8192
#: So many connections in a row that were not there at once, and only every 64th tries to send without waiting.
EAGER_MISSES = 16
UNDER_WAY = (errno.EINPROGRESS, 0)
STREAM = int(socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

HEADERS_END = b"\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r)")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.I)
CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.I)
HOSTNAME = re.compile(rb"^Hostname:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.M)
PLAIN = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:[]-"  # what JSON leaves as it is
REMOTE_LINE = b"\nRemoteAddr: "
REMOTE = re.compile(rb"^RemoteAddr:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.M)


# Answers: bytes to what they say -------------------------------------------------------------------------------------


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


@functools.lru_cache(1024)
def backend_in(beginning: bytes) -> bytes | None:
    """The pod's name in what a whoami body has before its `RemoteAddr:` line, the same for all answers of a pod.

    None: it is not there, or this is no such beginning; the whole body must then be searched.
    """
    found = HOSTNAME.search(beginning + b"\n")
    return found.group(1) if found and not REMOTE.search(beginning) else None


def backend_and_remote(body: bytes) -> tuple[bytes | None, bytes | None]:
    """What a whoami body says of the pod and of the client; None where it does not."""
    beginning, _, rest = body.partition(REMOTE_LINE)
    backend = backend_in(beginning)
    remote = rest[: rest.find(b"\n")].strip(b" \t\r") if backend else b""
    if backend and remote and b"\r" not in remote:
        return backend, remote
    named, seen = HOSTNAME.search(body), REMOTE.search(body)
    return named.group(1) if named else None, seen.group(1) if seen else None


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
        head, found, body = data.partition(HEADERS_END)
        self.broken = len(data) > LONGEST_ANSWER
        if not found:
            return
        self.status, length, chunked, self.closes = read_head(head + b"\r\n")
        self.body = body
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


# Connections and their records ---------------------------------------------------------------------------------------


class Connection:
    """One request in flight. *_at are monotonic nanoseconds; 0 means: not yet.

    Class attributes are the defaults: half of them never change in a connection's life.
    """

    sequence = started_at = connected_at = first_byte_at = 0
    sock: _socket.socket | None = None
    source: tuple[str | None, int | None] = (None, None)
    data = b""
    answer: Answer | None = None


def quoted(said: bytes) -> str:
    """JSON of what a server said; quicker than json for what needs no escapes, which is nearly every address."""
    if said.translate(None, PLAIN):
        return json.dumps(said.decode("utf-8", "replace"))
    return f'"{said.decode()}"'


class Records:
    """Writes records as they come, in blocks, so that a slow reader costs few system calls."""

    BLOCK = 256

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lines: list[str] = []
        self.count = 0
        self.errors: collections.Counter[str] = collections.Counter()
        self.last_flush = time.monotonic()
        #: wall clock less monotonic clock, read again with each block: a start is then two readings less
        self.epoch_ns = time.time_ns() - time.monotonic_ns()
        self._texts: dict[object, str] = {None: "null"}

    def text(self, value: str | bytes | None) -> str:
        """JSON of a string; few distinct ones come often (backends, addresses, errors)."""
        known = self._texts.get(value)
        if known is None:
            known = quoted(value) if isinstance(value, bytes) else json.dumps(value)
            if len(self._texts) < 4096:
                self._texts[value] = known
        return known

    def add(
        self,
        connection: Connection,
        now: int,
        backend: bytes | None,
        remote: bytes | None,
        status: int | None,
        error: str,
    ) -> None:
        started, text = connection.started_at, self.text
        address, port = connection.source
        connect = (connection.connected_at - started) // 1000 if connection.connected_at else "null"
        first_byte = (connection.first_byte_at - started) // 1000 if connection.first_byte_at else "null"
        self.lines.append(
            f"[{connection.sequence},{started + self.epoch_ns},{connect},{first_byte},{(now - started) // 1000},"
            f"{text(address)},{'null' if port is None else port},{text(backend)},"
            f"{'null' if remote is None else quoted(remote)},{'null' if status is None else status},"
            f"{text(error)}]\n"
        )
        self.count += 1
        if error:
            self.errors[error] += 1
        if len(self.lines) >= self.BLOCK:
            self.flush()

    def add_answered(self, connection: Connection, now: int, rest: str) -> None:
        """A whole 2xx answer that came in one piece, of which `now` is first and last byte; rest: from backend on."""
        started, (address, port) = connection.started_at, connection.source
        took = (now - started) // 1000
        self.lines.append(
            f"[{connection.sequence},{started + self.epoch_ns},{(connection.connected_at - started) // 1000},"
            f"{took},{took},{self.text(address)},{port},{rest}"
        )
        self.count += 1
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


# Source ports --------------------------------------------------------------------------------------------------------


class SourcePorts:
    """Which source port each connection takes: the kernel's choice (0), or ours, in turn or at random from a range.

    free: in turn, and those that somebody else has are left out.
    """

    def __init__(self, text: str, seed: int) -> None:
        order, _, limits = text.partition(":")
        if "-" in order:
            order, limits = "sequential", order
        if order not in ("kernel", "sequential", "random", "free"):
            raise ValueError(
                "source ports are kernel, sequential, random, FIRST-LAST, random:FIRST-LAST, free:FIRST-LAST"
            )
        first, last = (int(part) for part in limits.split("-")) if limits else EPHEMERAL
        if not 1 <= first <= last <= 65535:
            raise ValueError("source ports are FIRST-LAST with 1 <= FIRST <= LAST <= 65535")
        self.order, self.first, self.count = order, first, last - first + 1
        self.random = random.Random(seed)
        self.left_out = 0

    def port(self, sequence: int, addresses: int) -> int:
        """With several source addresses each port is used with every address before the next one is."""
        if self.order == "kernel":
            return 0
        if self.order == "random":
            return self.first + self.random.randrange(self.count)
        return self.first + (sequence // addresses + self.left_out) % self.count

    def leave_out(self) -> bool:
        """Somebody has the port: whether there is another one to take."""
        self.left_out += self.order == "free"
        return self.order == "free" and self.left_out < self.count


# The event loop ------------------------------------------------------------------------------------------------------


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
        self.started = self.late = self.longest_delay = self.eager_misses = 0
        self.stopped = False
        self.epoll = select.epoll()
        self.heads: dict[bytes, int] = {}
        self.beginnings: dict[bytes, str] = {}
        #: the kernel's choice of a port is asked for; what we chose ourselves we know
        self.asks_source = self.ports.order == "kernel" or not options.source_address
        self.chooses_source = self.ports.order != "kernel" or bool(options.source_address)

    def run(self) -> None:
        self.begin = time.monotonic_ns()
        while True:
            self.start_due()
            if not self.open and self.finished():
                break
            self.hear()
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
        options, opened = self.options, self.open
        while len(opened) < options.concurrency and not self.finished():
            if not options.rate:
                room = options.concurrency - len(opened)
                self.start(min(room, options.requests - self.started) if options.requests else room)
                continue
            delay = time.monotonic_ns() - self.due_at()
            if delay < 0:
                return
            if delay > 10_000_000:
                self.late += 1
            self.longest_delay = max(self.longest_delay, delay)
            self.start(1)

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

    def start(self, count: int) -> None:
        """Start so many connections. Over loopback and veth each is there, and asked, before the next begins."""
        opened, register, clock, request = self.open, self.epoll.register, time.monotonic_ns, self.request
        reading, target, family = self.reading.append, self.target, self.family
        for sequence in range(self.started, self.started + count):
            self.started = sequence + 1
            connection = Connection()
            connection.sequence = sequence
            connection.started_at = clock()
            try:
                sock = connection.sock = _socket.socket(family, STREAM, 0)
                if self.chooses_source:
                    self.choose_source(connection, sock)
                number = sock.connect_ex(target)
                if number not in UNDER_WAY:
                    raise OSError(number, os.strerror(number))
                if self.asks_source:
                    connection.source = sock.getsockname()[:2]
                descriptor = sock.fileno()
                if self.eager_misses < EAGER_MISSES or sequence % 64 == 0:
                    # The handshake is over when connect() returns, if the kernel answers within the call: then it need
                    # not be asked, and tell, whether the connection is there.
                    before = clock()
                    try:
                        sock.send(request)
                    except BlockingIOError:
                        self.eager_misses += 1
                    else:
                        connection.connected_at = before  # it must have been there: a request goes in whole
                        self.eager_misses = 0
                        reading(connection)
                        opened[descriptor] = connection
                        register(descriptor, ANSWERS)
                        continue
                self.connecting.append(connection)
                opened[descriptor] = connection
                register(descriptor, INTEREST)
            except OSError as error:
                self.end(connection, error_class(error.errno, False))

    def choose_source(self, connection: Connection, sock: _socket.socket) -> None:
        sequence = connection.sequence
        address = self.addresses[sequence % len(self.addresses)]
        if self.ports.order == "kernel":
            # IP_BIND_ADDRESS_NO_PORT: a port then need only be free towards this target, not altogether
            sock.setsockopt(socket.IPPROTO_IP, 24, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            port = self.ports.port(sequence, len(self.addresses))
            connection.source = (address, port or None)
            try:
                return sock.bind((address or "", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not self.ports.leave_out():
                    raise

    def hear(self) -> None:
        """What the kernel has to say. The usual answer, whole and in one piece with the server's FIN, goes a short way.

        The short way is written out: the interpreter is cold after every system call, so a call less is a microsecond.
        """
        opened, heads, beginnings = self.open, self.heads, self.beginnings
        clock, answered = time.monotonic_ns, self.records.add_answered
        for descriptor, event in self.epoll.poll(self.patience(), 512):
            connection = opened.get(descriptor)
            if connection is None:
                continue
            sock = connection.sock
            if event != WHOLE or connection.data or not connection.connected_at or sock is None:
                self.heard(connection, event)
                continue
            try:
                block = sock.recv(BLOCK)
            except OSError as error:
                self.end(connection, error_class(error.errno, True))
                continue
            head, _, body = block.partition(HEADERS_END)
            if heads.get(head) == len(body):
                beginning, _, rest = body.partition(REMOTE_LINE)
                backend = beginnings.get(beginning)
                remote = rest[: rest.find(b"\n")]
                if backend and remote and not remote.translate(None, PLAIN):
                    now = clock()
                    del opened[descriptor]
                    sock.close()
                    connection.sock = None
                    answered(connection, now, f'{backend},"{remote.decode()}",200,""]\n')
                    continue
            self.learn(block, head)
            self.grown(connection, block)
            if connection.sock is not None:
                self.receive(connection, True)

    def learn(self, block: bytes, head: bytes) -> None:
        """Remember what a usual answer begins with: status 200, a length, the promise to close, the pod's name."""
        if len(self.heads) > 4096 or len(self.beginnings) > 4096:
            self.heads.clear()
            self.beginnings.clear()
        answer = Answer(block, False)
        facts = read_head(head + b"\r\n") if answer.status == 200 else None
        if facts and answer.whole and not answer.broken and facts[1] == len(answer.body) and not facts[2] and facts[3]:
            self.heads[head] = len(answer.body)
            beginning = answer.body.partition(REMOTE_LINE)[0]
            backend = backend_in(beginning)
            if backend:
                self.beginnings[beginning] = self.records.text(backend)

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
        backend, remote = backend_and_remote(answer.body)
        status = answer.status or 0
        self.end(connection, "" if 200 <= status <= 299 else "status", answer.status, backend, remote)

    def end(
        self,
        connection: Connection,
        error: str,
        status: int | None = None,
        backend: bytes | None = None,
        remote: bytes | None = None,
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


# Command line --------------------------------------------------------------------------------------------------------


def parse(argv: list[str] | None) -> argparse.Namespace:
    about = "One new HTTP connection per request, one record each."
    parser = argparse.ArgumentParser(prog="prober.py", description=about)
    add = parser.add_argument
    add("--url", required=True, help="http://HOST[:PORT]/PATH")
    add("--requests", type=int, default=0, help="how many connections; 0: until --duration or Ctrl-C")
    add("--concurrency", type=int, default=0, help="how many at a time (default: 32, more with --rate)")
    add("--rate", type=float, default=0.0, help="connections per second, started on time whatever answers do")
    add("--duration", type=float, default=0.0, help="seconds after which no more are started")
    add(
        "--source-ports",
        default="kernel",
        help="kernel | sequential | random | FIRST-LAST | random:FIRST-LAST | free:FIRST-LAST",
    )
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
    stops: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signal_number, _frame: stops.append(signal_number))
    options = parse(argv)
    try:
        target, request = resolve(options)
    except (OSError, UnicodeError) as error:
        print(f"prober: {options.url}: {error}", file=sys.stderr)
        return 3
    allow_descriptors(options.concurrency)
    gc.disable()  # nothing here refers to itself
    records = Records(sys.stdout.fileno())
    prober = Prober(options, target, request, records)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, prober.stop)
    if stops:
        prober.stop()
    records.write(json.dumps(header(options, target)) + "\n")
    prober.run()
    records.write(json.dumps({"summary": summary(prober, options.requests)}) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os._exit(1)  # nobody reads any more; nothing more to say
