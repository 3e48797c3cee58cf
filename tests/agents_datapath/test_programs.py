"""Images and what runs for them; the whoami program over real connections."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from datapath_world import TOGETHER, wait_for

from bgplab.backends.embedded.agents.programs.images import FILES, normalised, resolve

WHOAMI = ["/usr/bin/python3", "-I", "-S", "/opt/bgp-lab/whoami.py"]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("traefik/whoami", "docker.io/traefik/whoami"),
        ("traefik/whoami:v1.11", "docker.io/traefik/whoami"),
        ("docker.io/traefik/whoami@sha256:" + "0" * 64, "docker.io/traefik/whoami"),
        ("index.docker.io/traefik/whoami", "docker.io/traefik/whoami"),
        ("nginx", "docker.io/library/nginx"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b"),
        ("quay.io/cilium/cilium:v1.18.0", "quay.io/cilium/cilium"),
        ("Traefik/whoami", None),
        ("traefik/whoami:", None),
        ("", None),
        ("a b", None),
    ],
)
def test_image_names_are_normalised(image: str, name: str | None) -> None:
    assert normalised(image) == name


@pytest.mark.parametrize("image", ["traefik/whoami2", "ghcr.io/traefik/whoami", "nginx", "no such image"])
def test_an_image_without_a_program_is_none(image: str) -> None:
    assert resolve(image) is None


@pytest.mark.parametrize(
    ("image", "container", "argv"),
    [
        ("traefik/whoami", {}, WHOAMI),
        ("traefik/whoami", {"args": ["-port", "8080"]}, [*WHOAMI, "-port", "8080"]),
        ("traefik/whoami", {"command": ["/whoami"], "args": ["-name", "x"]}, [*WHOAMI, "-name", "x"]),
        ("traefik/whoami", {"args": ["-name", "$(WHO) $(OTHER) $$(WHO)"], "env": [{"name": "WHO", "value": "me"}]},
         [*WHOAMI, "-name", "me $(OTHER) $(WHO)"]),
        ("nicolaka/netshoot", {"command": ["tail", "-f", "/dev/null"]}, ["tail", "-f", "/dev/null"]),
        ("nicolaka/netshoot", {}, ["/bin/bash"]),
        ("quay.io/cilium/cilium:v1.18.0", {"command": ["cilium-agent"]}, None),
    ],
)  # fmt: skip
def test_command_and_args_replace_the_images_own_as_in_kubernetes(
    image: str, container: dict[str, Any], argv: list[str] | None
) -> None:
    program = resolve(image)
    assert program and program.argv(container) == argv


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [*TOGETHER, sys.executable, "-I", "-S", str(FILES / "whoami.py"), "--port", str(free), "-name=me", "-verbose"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout and b"Starting up on port" in process.stdout.readline()
    yield free
    process.terminate()
    assert process.wait(2) is not None
    process.stdout.close()


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces on one connection, and read until the server closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


CLOSING = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def test_the_body_is_what_the_image_says(port: int) -> None:
    request = b"GET /x?y HTTP/1.1\r\nX-B: 2\r\nHost: h\r\nUser-Agent: me\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    head, _, body = talk(port, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"Content-Length: %d\r\n" % len(body) in head
    first, _, echo = body.partition(b"\nGET ")
    assert first.startswith(b"Name: me\nHostname: " + socket.gethostname().encode() + b"\nIP: 127.0.0.1\n")
    assert b"\nRemoteAddr: 127.0.0.1:" in first
    assert echo == (b"/x?y HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\nAccept: */*\r\nConnection: close\r\nX-B: 2\r\n\r\n")


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [
        ((b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", CLOSING), 2),
        ((b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" + CLOSING,), 2),
        ((CLOSING[:9], CLOSING[9:30], CLOSING[30:]), 1),
        ((b"GET / HTTP/1.0\r\n\r\n",), 1),
        ((b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", CLOSING), 2),
        ((b"POST /p HTTP/1.1\r\ncontent-length: 4\r\n\r\nab", b"cd" + CLOSING), 2),
        ((b"nonsense\r\n\r\n",), 1),
    ],
)
def test_requests_are_answered_however_they_come(port: int, pieces: tuple[bytes, ...], answers: int) -> None:
    assert talk(port, *pieces, pause=0.02).count(b"Content-Length: ") == answers


def test_a_head_request_has_no_body(port: int) -> None:
    response = talk(port, b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert response.endswith(b"\r\n\r\n") and response.count(b"\r\n\r\n") == 1


def test_the_api_tells_the_same_as_json(port: int) -> None:
    response = talk(port, b"GET /api HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-A: 1\r\n\r\n")
    told = json.loads(response.partition(b"\r\n\r\n")[2])
    assert (told["method"], told["url"], told["host"], told["headers"]["X-A"]) == ("GET", "/api", "h", ["1"])


def test_a_client_that_says_nothing_holds_nobody_up(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), timeout=3) for _ in range(50)]
    started = time.monotonic()
    assert talk(port, CLOSING)
    assert time.monotonic() - started < 1.0
    for connection in silent:
        connection.close()


def test_a_thousand_connections_are_answered(port: int) -> None:
    started = time.monotonic()
    for _ in range(1000):
        talk(port, CLOSING)
    print(f"whoami: {1000 / (time.monotonic() - started):.0f} connections/s, one at a time")
    wait_for(lambda: talk(port, CLOSING), "it still answers")


def test_clustermesh_apiservers_etcd_is_run_and_its_exporter_is_an_agents_work() -> None:
    program = resolve("quay.io/cilium/clustermesh-apiserver:v1.17.6")
    assert program is not None
    etcd = {"command": ["/usr/bin/etcd"], "args": ["--advertise-client-urls=https://$(HOSTNAME_IP):2379"]}
    assert program.argv(etcd, {"HOSTNAME_IP": "10.0.1.2"}) == [
        "/usr/bin/etcd",
        "--advertise-client-urls=https://10.0.1.2:2379",
    ]
    assert program.argv({"command": ["/usr/bin/clustermesh-apiserver"], "args": ["clustermesh"]}) is None
    assert program.argv({}) is None
