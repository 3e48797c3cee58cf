"""Netlink messages of the netfilter family as bytes (linux/netlink.h, nfnetlink.h): no sockets here."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_NETFILTER = 12
REQUEST, MULTI, ACK, DUMP = 0x1, 0x2, 0x4, 0x300
ERROR, DONE = 2, 3

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF


@dataclass(frozen=True, slots=True)
class Message:
    """`kind` is (subsystem << 8) | message; `body` starts behind the netfilter header of four bytes."""

    kind: int
    body: bytes


def message(
    kind: int, flags: int, body: bytes, sequence: int = 1, family: int = socket.AF_INET, number: int = 0
) -> bytes:
    """One request. `number` is the header's res_id (the group of a log request)."""
    payload = struct.pack("!BBH", family, 0, number) + body
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, sequence, 0) + payload


def messages(datagram: bytes) -> Iterator[Message]:
    """What one read from the socket holds. ERROR's body is the kernel's (negative) number, 0 for an acknowledgement."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size:
            return
        skipped = 0 if kind == ERROR else 4
        yield Message(kind, datagram[at + _HEADER.size + skipped : at + length])
        at += (length + 3) & ~3


def attribute(kind: int, payload: bytes, *, nested: bool = False) -> bytes:
    padded = payload + b"\0" * (-len(payload) % 4)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind | (_NESTED if nested else 0)) + padded


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by type (a repeated one: the last); nested ones are parsed by another call."""
    found, at = {}, 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def error_of(answer: Message) -> int:
    """The errno in an ERROR message; 0 is success."""
    return -int(struct.unpack_from("=i", answer.body)[0]) if len(answer.body) >= 4 else 0
