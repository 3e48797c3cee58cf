"""The second "no route to host", as bytes."""

from __future__ import annotations

import struct

from bgplab.backends.embedded.agents.datapath.unreachable import host_unreachable

# IPv4, 60 bytes, protocol TCP, 10.0.0.3 → 10.2.0.7, then source and destination port, sequence number, …
SYN = bytes.fromhex("4500003c00004000400626b10a0000030a020007" + "9c400050" + "00000001" + "00" * 32)


def test_the_answer_quotes_the_ip_header_and_eight_bytes_behind_it() -> None:
    answer = host_unreachable(SYN)
    assert (answer[0], answer[1], answer[4:8], answer[8:]) == (3, 1, bytes(4), SYN[:28])


def test_the_checksum_over_the_whole_message_is_zero() -> None:
    total = sum(struct.unpack("!18H", host_unreachable(SYN)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_options_of_the_ip_header_are_quoted_too() -> None:
    with_options = bytes([0x46]) + SYN[1:20] + bytes(4) + SYN[20:]
    assert host_unreachable(with_options)[8:] == with_options[:32]
