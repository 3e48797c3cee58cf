"""The Kubernetes API server as one object: settings in, sockets in, an application out."""

from __future__ import annotations

import copy
import platform
import random
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from starlette.applications import Starlette

from bgplab.backends.embedded.kube.allocation import AddressPool, PortPool
from bgplab.backends.embedded.kube.errors import ApiError, no_such_path
from bgplab.backends.embedded.kube.http.app import Front, application
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.resources import as_version
from bgplab.backends.embedded.kube.runtime import PodRuntime
from bgplab.backends.embedded.kube.serving import EmbeddedServer, embedded_server, serve_on
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.create import create
from bgplab.backends.embedded.kube.verbs.request import FieldValidation, Target, WriteOptions
from bgplab.backends.embedded.kube.verbs.update import update

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


@dataclass(frozen=True)
class ServerSettings:
    """service_cidr: where cluster addresses come from; its first is the API's own Service.

    client_ca_file: certificates by this authority are let in, besides bearers of the token.
    node_port_range: inclusive.
    """

    service_cidr: str
    token: str
    git_version: str = "v1.33.2"
    client_ca_file: str | None = None
    node_port_range: tuple[int, int] = (30000, 32767)


class KubeServer:
    """Everything but `serve` and `stop` happens before serving. Objects live in memory and end with it."""

    def __init__(self, settings: ServerSettings, runtime: PodRuntime | None = None) -> None:
        self.settings = settings
        chance = random.Random()
        self._machine = Machine(
            addresses=AddressPool(IPv4Network(settings.service_cidr), chance),
            ports=PortPool(settings.node_port_range, chance),
            chance=chance,
        )
        front = Front(self._machine, settings.token, _version(settings.git_version), runtime)
        self.app: Starlette = application(front)
        self._server: EmbeddedServer | None = None
        self.install([*map(_namespace, NAMESPACES), self._own_service()])

    def install(self, manifests: Iterable[dict[str, Any]]) -> None:
        """Seed objects, status included, in order; what exists already stays. Raises ApiError for what is refused."""
        for manifest in manifests:
            self._install(copy.deepcopy(manifest))

    def _install(self, manifest: Value) -> None:
        options = WriteOptions(manager="bootstrap", validation=FieldValidation.STRICT)
        target = self._place(manifest)
        status = manifest.get("status")
        try:
            created = create(self._machine, target, manifest, options).value
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return
            raise
        if status is not None and target.resource.has_status:
            named = Target(target.resource, target.namespace, created["metadata"]["name"], "status")
            update(self._machine, named, {**as_version(target.resource, created), "status": status}, options)

    def _place(self, manifest: Value) -> Target:
        group, _, version = manifest["apiVersion"].rpartition("/")
        found = (each for each in self._machine.registry.of_version(group, version) if each.kind == manifest["kind"])
        resource = next(found, None)
        if resource is None:
            raise no_such_path()
        namespace = manifest.get("metadata", {}).get("namespace", "default") if resource.namespaced else ""
        return Target(resource, namespace)

    def _own_service(self) -> Value:
        first = str(IPv4Network(self.settings.service_cidr)[1])
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "clusterIP": first,
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
        }

    async def serve(self, sockets: list[socket.socket], cert_file: str, key_file: str) -> None:
        """Serve TLS on listening sockets until `stop`. They are closed then."""
        self._server = embedded_server(self.app, cert_file, key_file, self.settings.client_ca_file)
        await serve_on(self._server, sockets)

    async def stop(self) -> None:
        """End watches and `serve`; harmless when not serving."""
        if self._server is not None:
            self._machine.store.close_watches()
            self._server.stop()


def _namespace(name: str) -> Value:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _version(git_version: str) -> dict[str, str]:
    match = re.match(r"v(\d+)\.(\d+)", git_version)
    major, minor = match.groups() if match else ("1", "")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "cpython",
        "platform": f"linux/{'amd64' if platform.machine() == 'x86_64' else platform.machine()}",
    }
