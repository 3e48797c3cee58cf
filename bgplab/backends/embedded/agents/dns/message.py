"""DNS messages (RFC 1035, EDNS of RFC 6891) as far as a cluster's clients use them: bytes in, values out, and back."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

_HEADER = struct.Struct("!HHHHHH")
_CLASS_IN = 1
_QUERY_OPCODE_MASK = 0x7800
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0400, 0x0200, 0x0100

#: Largest UDP answer without EDNS (RFC 1035, 4.2.1), and what is offered with it (DNS flag day 2020).
PLAIN_UDP_SIZE, OFFERED_UDP_SIZE = 512, 1232


class Type(IntEnum):
    A = 1
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    ANY = 255


class Code(IntEnum):
    """Response codes (RFC 1035, 4.1.1)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Query:
    """One question. name: lower case, without the last dot. asked: the question as it came, echoed in the answer.

    udp_size: the largest UDP answer the client takes. edns: it sent an OPT record and gets one back.
    """

    number: int
    name: str
    type: int
    in_class: bool
    asked: bytes
    recursion_desired: bool
    udp_size: int
    edns: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; `data` is its encoded RDATA."""

    name: str
    type: Type
    seconds: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a zone says to a question."""

    code: Code
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    authoritative: bool = True


class MalformedError(ValueError):
    """Bytes that are no query. `number` is the message's, for a FORMERR; None when not even that can be read."""

    def __init__(self, what: str, number: int | None) -> None:
        super().__init__(what)
        self.number = number


def parse_query(data: bytes) -> Query:
    """Raises MalformedError."""
    if len(data) < _HEADER.size:
        raise MalformedError("shorter than a header", None)
    number, flags, questions, _, _, additional = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        raise MalformedError("a response, not a query", None)  # answering one could start a loop
    if questions != 1 or flags & _QUERY_OPCODE_MASK:
        raise MalformedError("not one standard question", number)
    try:
        name, at = _read_name(data, _HEADER.size)
        kind, cls = struct.unpack_from("!HH", data, at)
    except (struct.error, IndexError, ValueError) as fault:
        raise MalformedError(f"no question: {fault}", number) from fault
    edns_size = _edns_size(data, at + 4) if additional else None
    return Query(
        number=number,
        name=name,
        type=kind,
        in_class=cls in (_CLASS_IN, 255),
        asked=data[_HEADER.size : at + 4],
        recursion_desired=bool(flags & _RECURSION_DESIRED),
        udp_size=min(max(edns_size or 0, PLAIN_UDP_SIZE), OFFERED_UDP_SIZE),
        edns=edns_size is not None,
    )


def build_response(query: Query, answer: Answer, limit: int | None = None) -> bytes:
    """The response's bytes. One that is longer than `limit` is cut to its head with the TC bit, so TCP is tried."""
    option = b"\0" + struct.pack("!HHIH", Type.OPT, OFFERED_UDP_SIZE, 0, 0) if query.edns else b""
    flags = _RESPONSE | (_AUTHORITATIVE if answer.authoritative else 0) | answer.code
    flags |= _RECURSION_DESIRED if query.recursion_desired else 0
    body = b"".join(_record(record, query.name) for record in (*answer.records, *answer.authority))
    counts = (len(answer.records), len(answer.authority))
    if limit is not None and _HEADER.size + len(query.asked) + len(body) + len(option) > limit:
        body, counts, flags = b"", (0, 0), flags | _TRUNCATED
    return _HEADER.pack(query.number, flags, 1, *counts, int(query.edns)) + query.asked + body + option


def build_refusal(number: int, code: Code) -> bytes:
    """A response to something that has no readable question."""
    return _HEADER.pack(number, _RESPONSE | code, 0, 0, 0, 0)


def encode_name(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def a_record(name: str, address: IPv4Address, seconds: int) -> Record:
    return Record(name, Type.A, seconds, address.packed)


def cname_record(name: str, target: str, seconds: int) -> Record:
    return Record(name, Type.CNAME, seconds, encode_name(target))


def srv_record(name: str, port: int, target: str, seconds: int, weight: int) -> Record:
    return Record(name, Type.SRV, seconds, struct.pack("!HHH", 0, weight, port) + encode_name(target))


def txt_record(name: str, text: str, seconds: int) -> Record:
    return Record(name, Type.TXT, seconds, bytes([len(text)]) + text.encode())


def soa_record(domain: str, serial: int, seconds: int) -> Record:
    """CoreDNS' own figures; the last is for how long a name's absence may be remembered (RFC 2308)."""
    names = encode_name(f"ns.dns.{domain}") + encode_name(f"hostmaster.{domain}")
    return Record(domain, Type.SOA, seconds, names + struct.pack("!IIIII", serial, 7200, 1800, 86400, seconds))


def _record(record: Record, asked: str) -> bytes:
    # A pointer to the question's name (RFC 1035, 4.1.4), which keeps its capitals as the client wrote them.
    name = b"\xc0\x0c" if record.name == asked else encode_name(record.name)
    return name + struct.pack("!HHIH", record.type, _CLASS_IN, record.seconds, len(record.data)) + record.data


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """A name without compression (a question has none), and where it ends."""
    labels = []
    while length := data[at]:
        if length > 63:
            raise ValueError("a label longer than 63")
        label = data[at + 1 : at + 1 + length]
        if len(label) < length:
            raise ValueError("a label past the end")
        labels.append(label.decode("latin-1").lower())
        at += 1 + length
    return ".".join(labels), at + 1


def _edns_size(data: bytes, at: int) -> int | None:
    """The UDP size an OPT record offers, when one follows the question directly, as every client writes it."""
    if data[at : at + 3] != b"\0" + struct.pack("!H", Type.OPT) or len(data) < at + 5:
        return None
    return int.from_bytes(data[at + 3 : at + 5])
