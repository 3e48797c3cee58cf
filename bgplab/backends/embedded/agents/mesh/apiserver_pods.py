"""What clustermesh-apiserver's own container does in its pods: export the cluster into the pod's etcd."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import Protocol

from bgplab.backends.embedded.agents.kubelet.volumes import mounted
from bgplab.backends.embedded.agents.mesh.export import Exporting
from bgplab.backends.embedded.agents.mesh.exporter import Exporter
from bgplab.backends.embedded.agents.mesh.mutual_tls import Identity, client_context, shaken_hands
from bgplab.backends.embedded.agents.mesh.timers import CILIUM, MeshTimers
from bgplab.backends.embedded.agents.mesh.versions import behaviour_of
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.errors import LabError
from bgplab.lab.cluster import CONFIG_MAP, Cluster, Kind, Manifest

log = logging.getLogger(__name__)

ETCD = ("127.0.0.1", 2379)

#: Where the container has its certificate for the etcd (the volume `etcd-admin-client`).
DIRECTORY = "/var/lib/cilium/etcd-secrets"

#: A pod counts as ready when a first full copy is in its etcd, or after this time.
READY_SECONDS = 10.0


class PodHost(Protocol):
    """A pod's namespaces. netns: a descriptor, -1 when the pod is gone."""

    netns: int


class ApiserverPods:
    """The ContainerService of the image. host_of: (namespace, name) of a pod → its namespaces, None without any."""

    def __init__(
        self,
        cluster: Cluster,
        informers: Informers,
        host_of: Callable[[str, str], PodHost | None],
        timers: MeshTimers = CILIUM,
    ) -> None:
        self._cluster, self._informers, self._host_of, self._timers = cluster, informers, host_of, timers
        self._exporters: dict[str, Exporter] = {}
        self._lock = threading.Lock()

    def started(self, pod: Manifest) -> None:
        """Until the etcd is filled. Raises LabError when the pod lacks what the container needs."""
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        host = self._host_of(namespace, name)
        if host is None:
            raise LabError(f"pod {namespace}/{name} has no namespaces of its own")
        exporter = Exporter(self._exporting(pod), _dial(host, self._identity(pod)), self._informers, self._timers)
        with self._lock:
            before = self._exporters.pop(metadata["uid"], None)
            self._exporters[metadata["uid"]] = exporter
        if before is not None:
            before.close()
        if not exporter.wait_full(READY_SECONDS):
            log.warning("%s/%s: nothing has been exported within %g s", namespace, name, READY_SECONDS)

    def ended(self, pod: Manifest) -> None:
        with self._lock:
            exporter = self._exporters.pop(pod["metadata"]["uid"], None)
        if exporter is not None:
            exporter.close()

    def _exporting(self, pod: Manifest) -> Exporting:
        config = self._cluster.get(CONFIG_MAP, "cilium-config", pod["metadata"]["namespace"]) or {}
        data = config.get("data") or {}
        image = pod["spec"]["containers"][0]["image"]
        behaviour = behaviour_of(image.rpartition(":")[2])
        return Exporting(data.get("cluster-name", "default"), int(data.get("cluster-id", "0")), behaviour)

    def _identity(self, pod: Manifest) -> Identity:
        def read(kind: Kind, name: str) -> Manifest | None:
            return self._cluster.get(kind, name, pod["metadata"]["namespace"])

        files = mounted(pod, read).files
        try:
            return Identity(*(files[f"{DIRECTORY}/{name}"] for name in ("ca.crt", "tls.crt", "tls.key")))
        except KeyError as missing:
            raise LabError(f"clustermesh-apiserver: open {missing.args[0]}: no such file or directory") from None


def _dial(host: PodHost, identity: Identity) -> Callable[[], socket.socket]:
    try:
        context = client_context(identity)
    except ValueError as fault:
        raise LabError(f"clustermesh-apiserver: {fault}") from fault

    def dial() -> socket.socket:
        plain = socket_in(host.netns, lambda: socket.create_connection(ETCD, 2.0))
        return shaken_hands(plain, context, ETCD[0])

    return dial
