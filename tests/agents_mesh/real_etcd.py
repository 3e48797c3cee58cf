"""A real etcd, as a clustermesh-apiserver pod runs it, on a loopback port of this machine and for one test."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from certificates import SERVER_NAMES, Authority

from bgplab.backends.embedded.agents.mesh.etcd_client import Dial, EtcdClient, EtcdError
from bgplab.backends.embedded.agents.mesh.mutual_tls import Identity, client_context, shaken_hands
from bgplab.backends.embedded.hosts.userland import userland_directory

START_SECONDS = 15.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class RealEtcd:
    """Its own CA unless one is given; `restart` keeps the data, `wipe` does not (a new pod: a new etcd)."""

    def __init__(self, directory: Path, authority: Authority | None = None, port: int | None = None) -> None:
        self.authority = authority or Authority.make()
        self.port = port or free_port()
        self._peer_port = free_port()
        self._directory = directory
        self._number = 0
        directory.mkdir(parents=True, exist_ok=True)
        server = self.authority.sign("clustermesh-apiserver.cilium.io", SERVER_NAMES)
        for name, text in (("ca.crt", server.ca), ("tls.crt", server.certificate), ("tls.key", server.key)):
            (directory / name).write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        userland = userland_directory()
        loader = next((userland / "usr/lib64").glob("ld-linux-*"))
        libraries = ":".join(str(path) for path in (userland / "usr/lib").glob("*-linux-gnu"))
        peer = f"http://127.0.0.1:{self._peer_port}"
        client = f"https://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *(loader, "--library-path", libraries, userland / "usr/bin/etcd"),
                f"--data-dir={self._directory}/data-{self._number}",
                "--name=clustermesh-apiserver",
                "--client-cert-auth",
                f"--trusted-ca-file={self._directory}/ca.crt",
                f"--cert-file={self._directory}/tls.crt",
                f"--key-file={self._directory}/tls.key",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=clustermesh-apiserver={peer}",
                f"--initial-cluster-token=clustermesh-apiserver-{self._number}",
                "--log-level=error",
            ],
            stderr=(self._directory / "log").open("ab"),
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            client = self.client()
            try:
                client.cluster_id()
                return
            except EtcdError as fault:
                log = (self._directory / "log").read_text()[-500:]
                assert time.monotonic() < until, f"etcd does not answer: {fault}\n{log}"
                time.sleep(0.02)
            finally:
                client.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def wipe(self) -> None:
        self.kill()
        self._number += 1
        self.start()

    def dial(self, identity: Identity | None = None, server_name: str = "east.mesh.cilium.io") -> Dial:
        context = client_context(identity or self.authority.sign("remote"))

        def connect() -> socket.socket:
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=5.0)
            return shaken_hands(plain, context, server_name)

        return connect

    def client(self) -> EtcdClient:
        return EtcdClient(self.dial())
