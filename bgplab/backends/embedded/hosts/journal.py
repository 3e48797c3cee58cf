"""The system log of a host: a /dev/log listener whose lines `journalctl` (hosts/files/journalctl) shows.

RFC 3164 on the wire as glibc's syslog(3) sends it; journald's short format in the file. Standard library only.
"""

from __future__ import annotations

import re
import socket

JOURNAL = "/var/log/journal.log"
_MESSAGE = re.compile(r"^<\d+>(?P<stamp>\w{3} [ \d]\d \d\d:\d\d:\d\d) (?P<text>.*)$", re.DOTALL)


def journal_line(datagram: bytes, hostname: str) -> str:
    """`<30>Nov 24 15:19:32 bgpd[492]: text` → `Nov 24 15:19:32 router bgpd[492]: text`."""
    text = datagram.decode(errors="replace").rstrip("\0\n").replace("\n", " ")
    match = _MESSAGE.match(text)
    return f"{match['stamp']} {hostname} {match['text']}" if match else f"{hostname} {text}"


class Journal:
    """Owns /dev/log; `take` moves what has arrived into the journal file, `write` adds a line of its own."""

    def __init__(self, hostname: str) -> None:
        self._hostname = hostname
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind("/dev/log")
        self._file = open(JOURNAL, "a", buffering=1)  # noqa: SIM115 - it lives as long as the host

    def take(self) -> None:
        while True:
            try:
                datagram = self.socket.recv(8192)
            except BlockingIOError:
                return
            self._file.write(journal_line(datagram, self._hostname) + "\n")
