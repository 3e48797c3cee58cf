"""What the kernel, sysctl and curl print in, values out."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv4Network

import pytest

from bgplab.observe.http import Target, curl_script, parse_answers, parse_whoami
from bgplab.observe.kernel_routes import KernelRoute, NextHop, parse_routes
from bgplab.observe.side_by_side import by_name, side_by_side
from bgplab.observe.sysctl import Assignment, parse_assignments, value_at_boot

ROUTES = [
    {"dst": "default", "gateway": "192.0.2.2", "dev": "eth0", "flags": []},
    {"dst": "192.168.10.0/24", "dev": "eth1", "protocol": "kernel", "scope": "link", "prefsrc": "192.168.10.200"},
    {"dst": "172.20.0.0/24", "nhid": 32, "gateway": "192.168.10.100", "dev": "eth1", "protocol": "bgp", "metric": 20},
    {
        "dst": "172.16.1.1",
        "nhid": 40,
        "protocol": "bgp",
        "metric": 20,
        "flags": [],
        "nexthops": [
            {"gateway": "192.168.10.100", "dev": "eth1", "weight": 1, "flags": []},
            {"gateway": "192.168.20.100", "dev": "eth2", "weight": 1, "flags": []},
        ],
    },
]


def test_a_host_route_is_a_32_and_has_all_its_next_hops() -> None:
    seen = parse_routes(json.dumps(ROUTES)).to(IPv4Network("172.16.1.1/32"))
    assert seen is not None
    assert seen.gateways == {IPv4Address("192.168.10.100"), IPv4Address("192.168.20.100")}


def test_a_single_path_stands_at_the_top_level() -> None:
    (first, _) = parse_routes(json.dumps(ROUTES)).of_protocol("bgp")
    assert first == KernelRoute(IPv4Network("172.20.0.0/24"), "bgp", (NextHop(IPv4Address("192.168.10.100"), "eth1"),))


def test_a_connected_route_has_no_gateway_and_the_default_is_a_prefix() -> None:
    table = parse_routes(json.dumps(ROUTES))
    assert table.to(IPv4Network("192.168.10.0/24")).gateways == set()  # type: ignore[union-attr]
    assert table.to(IPv4Network("0.0.0.0/0")) is not None


def test_a_protocol_without_a_name_is_known_by_its_number() -> None:
    assert parse_routes(json.dumps([{**ROUTES[2], "protocol": "186"}])).of_protocol("bgp")


def test_lines_that_set_a_sysctl_are_found_in_every_spelling() -> None:
    text = (
        "/etc/sysctl.d/90-bgp-lab.conf:net.ipv4.fib_multipath_hash_policy = 1\n"
        "/etc/sysctl.conf:net/ipv4/fib_multipath_hash_policy=0\n"
    )
    assert parse_assignments(text) == (
        Assignment("/etc/sysctl.d/90-bgp-lab.conf", "1"),
        Assignment("/etc/sysctl.conf", "0"),
    )


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([], None),
        ([("/etc/sysctl.d/90-bgp-lab.conf", "1"), ("/etc/sysctl.d/10-first.conf", "0")], "1"),
        ([("/etc/sysctl.conf", "0"), ("/etc/sysctl.d/90-bgp-lab.conf", "1")], "0"),
    ],
)
def test_the_last_file_by_name_wins_and_sysctl_conf_is_last(lines: list[tuple[str, str]], value: str | None) -> None:
    assert value_at_boot(tuple(Assignment(*line) for line in lines)) == value


WHOAMI = """Hostname: webpod-65794679cc-7dbj2
IP: 127.0.0.1
IP: ::1
IP: 172.20.0.11
IP: fe80::c45:d1ff:fe3f:f4cf
RemoteAddr: 172.20.0.4:38988
GET / HTTP/1.1
Host: webpod
User-Agent: curl/8.14.1
Accept: */*

"""


def test_a_whoami_body_says_who_answered_and_whom_it_saw() -> None:
    seen = parse_whoami(WHOAMI)
    assert seen is not None
    assert (seen.hostname, seen.remote, seen.remote_port) == (
        "webpod-65794679cc-7dbj2",
        IPv4Address("172.20.0.4"),
        38988,
    )
    assert seen.addresses == (IPv4Address("127.0.0.1"), IPv4Address("172.20.0.11"))


def test_a_page_that_is_no_whoami_is_none() -> None:
    assert parse_whoami("<html>It works!</html>") is None


def test_requests_are_matched_with_their_bodies_and_the_rest_have_none() -> None:
    text = (
        "done|0|200|0.004|0.009|/tmp/tmp.x/name_1\n"
        "done|28|000|0.004|1.001|/tmp/tmp.x/name_2\n"
        "done|28|000|0.000|1.001|/tmp/tmp.x/name_3\n"
        f"body|name_1\n{WHOAMI}"
    )
    first, second, third = parse_answers(text)["name"]
    assert (first.answered, first.body and first.body.hostname) == (True, "webpod-65794679cc-7dbj2")
    assert (second.answered, second.timed_out) == (False, True)
    assert (third.timed_out, third.resolved) == (False, False)


class _Whoami(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"Hostname: pod\nIP: 10.0.0.1\nRemoteAddr: {self.client_address[0]}:{self.client_address[1]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here")
def test_the_script_opens_a_connection_per_request_and_keeps_every_answer() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Whoami)
    server.socket.listen(128)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://localhost:{server.server_port}/"
        script = curl_script(
            [Target("name", url, 40), Target("127.0.0.1", url), Target("closed", "http://127.0.0.1:1/")]
        )
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=20)
    finally:
        server.shutdown()
        server.server_close()
    answers = parse_answers(done.stdout)
    assert [request.answered for request in answers["name"]] == [True] * 40
    ports = {request.body.remote_port for request in answers["name"] if request.body}
    assert len(ports) == 40
    assert answers["127.0.0.1"][0].answered
    assert (answers["closed"][0].exit_status, answers["closed"][0].answered) == (7, False)


def test_side_by_side_keeps_the_order_and_raises_the_first_fault() -> None:
    assert side_by_side(lambda number: number * 2, [3, 1, 2]) == [6, 2, 4]
    assert by_name(len, {"a": "xx", "b": "y"}) == {"a": 2, "b": 1}
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, [1, 0])
