"""The kubelets of a cluster's nodes: pods bound to a node become namespaces and processes, and their status follows.

An ordinary client of the Kubernetes API: it watches pods and writes their status.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Any, Protocol

from bgplab.backends.embedded.agents.dns import pod_resolv_conf
from bgplab.backends.embedded.agents.kubelet.addresses import PodAddresses
from bgplab.backends.embedded.agents.kubelet.environment import ConfigNotReady, environment_of, referred
from bgplab.backends.embedded.agents.kubelet.network import connect_pod, interface_of
from bgplab.backends.embedded.agents.kubelet.node import NETWORK_NOT_READY
from bgplab.backends.embedded.agents.kubelet.node_networks import NodeNetworks
from bgplab.backends.embedded.agents.kubelet.probes import (
    WORDS,
    Ground,
    has_probes,
    initial_health,
    start_probing,
)
from bgplab.backends.embedded.agents.kubelet.refusals import refused
from bgplab.backends.embedded.agents.kubelet.sandbox import BACK_OFF, Placement, Sandbox, Setup
from bgplab.backends.embedded.agents.kubelet.status import ContainerView, now, pod_status, stamp
from bgplab.backends.embedded.agents.kubelet.volumes import Mounted, VolumeNotReady, mounted
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.agents.programs.images import Program, resolve
from bgplab.backends.embedded.controllers.runtime import Informers, Worker, key_of
from bgplab.backends.embedded.hosts.making import HostMaker
from bgplab.backends.embedded.hosts.switchboard import START_TIMEOUT_SECONDS, Host
from bgplab.backends.embedded.wiring.plan import HOST_SYSCTLS
from bgplab.errors import LabError
from bgplab.lab.cluster import EVENT, POD, SECRET, ApiError, Cluster, Kind, Manifest

logger = logging.getLogger(__name__)

# kubelet's: an ended container starts at once, then after 10 s, 20 s, … 5 min
FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 10.0, 300.0
LISTEN_PATIENCE_SECONDS = 3.0
VOLUME_RETRY_SECONDS = 0.5
CONFIG_ERROR = "CreateContainerConfigError"
WORKERS = 4


@dataclass(frozen=True, slots=True)
class KubeletNode:
    """A node that pods can be run on."""

    name: str
    host: Host
    address: IPv4Address
    addresses: PodAddresses


class ContainerService(Protocol):
    """What an image's containers do when no process does it: the embedded lab's own agents."""

    def started(self, pod: Manifest) -> None:
        """The pod's container starts; returns when what it does is there. Raises LabError, and is asked again."""

    def ended(self, pod: Manifest) -> None:
        """The pod is gone, or going."""


class Kubelet:
    """All nodes' kubelets in one: reconciles one pod at a time per worker.

    services: by image without tag (`quay.io/cilium/cilium`). networks: which nodes can connect pods; all when absent.
    """

    def __init__(
        self,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        nodes: Mapping[str, KubeletNode],
        maker: HostMaker,
        dns_address: IPv4Address,
        on_pods: Callable[[], None] = lambda: None,
        services: Mapping[str, ContainerService] = MappingProxyType({}),
        networks: NodeNetworks | None = None,
    ) -> None:
        self._cluster, self._nodes, self._maker = cluster, nodes, maker
        self._dns_address = dns_address
        self._on_pods = on_pods
        self._services = services
        self._served: dict[tuple[str, str], tuple[ContainerService, Manifest]] = {}
        self._networks = networks or NodeNetworks(nodes)
        self._told: dict[tuple[str, str], str] = {}
        self._mounts: dict[tuple[str, str], dict[str, str]] = {}
        self._outdated: set[tuple[str, str]] = set()
        self._watch_secrets = functools.cache(lambda: informers.of(SECRET).subscribe(self._secret_changed))
        self._pods = informers.of(POD)
        self._ip = maker.lab_command("usr/bin/ip")
        self._sandboxes: dict[tuple[str, str], Sandbox] = {}
        self._workers = [Worker(f"kubelet-{n}", self._reconcile, stop, [self._pods]) for n in range(WORKERS)]
        self._pods.subscribe(self._changed)
        self._networks.subscribe(self._network_changed)

    def sandbox(self, namespace: str, name: str) -> Sandbox | None:
        return self._sandboxes.get((namespace, name))

    def own_host(self, namespace: str, name: str) -> Host | None:
        """A pod's own namespaces; None when it does not run, or runs in its node's."""
        sandbox = self.sandbox(namespace, name)
        return sandbox.placement.host if sandbox and sandbox.placement.own_host else None

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old
        assert pod is not None
        if pod["spec"].get("nodeName") in self._nodes:
            self._enqueue(key_of(pod))

    def _secret_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        namespace, _ = key_of(new or old or {})
        for key in [key for key in list(self._mounts) if key[0] == namespace]:
            self._outdated.add(key)
            self._enqueue(key)

    def _network_changed(self, node: str) -> None:
        for pod in self._pods.list():
            if pod["spec"].get("nodeName") == node:
                self._enqueue(key_of(pod))

    def _enqueue(self, key: tuple[str, str], after: float = 0.0) -> None:
        # one worker per pod name, so that no pod is worked on by two at once
        self._workers[hash(key) % WORKERS].enqueue_after(key, after)

    def _reconcile(self, key: Any) -> float | None:
        pod = self._pods.get(key[1], key[0])
        sandbox = self._sandboxes.get(key)
        if sandbox and (pod is None or pod["metadata"]["uid"] != sandbox.placement.uid):
            self._remove(key, sandbox, 0.0)
            sandbox = None
        if pod is None:
            return None
        if pod["metadata"].get("deletionTimestamp"):
            self._end(key, pod, sandbox)
            return None
        if sandbox is None:
            try:
                sandbox = self._create(key, pod)
            except _NotYet as obstacle:
                self._wait(pod, obstacle)
                return obstacle.again_seconds
        if key in self._outdated:
            self._outdated.discard(key)
            self._renew_mounts(key, pod, sandbox)
        try:
            return self._keep_running(pod, sandbox)
        except _NotYet as obstacle:  # what its environment names is gone meanwhile
            return obstacle.again_seconds

    def _renew_mounts(self, key: tuple[str, str], pod: Manifest, sandbox: Sandbox) -> None:
        """Put what changed of mounted Secrets into the pod; what is gone stays, as with a real kubelet."""
        with contextlib.suppress(_NotYet):
            files = self._volumes(pod).files
            for path, text in files.items():
                if self._mounts[key].get(path) != text:
                    sandbox.placement.host.run(["sh", "-c", 'cat > "$1"', "sh", path], stdin=text.encode())
            self._mounts[key] = files

    def _wait(self, pod: Manifest, obstacle: _NotYet) -> None:
        """Say why a pod is not made yet, each reason once."""
        key = key_of(pod)
        address = str(self._nodes[pod["spec"]["nodeName"]].address)
        views = [
            ContainerView(one["name"], one["image"], "", waiting=obstacle.waiting, message=obstacle.told)
            for one in pod["spec"]["containers"]
        ]
        self._write_status(pod, pod_status(pod, address, None, views))
        if self._told.get(key) != str(obstacle):
            self._told[key] = str(obstacle)
            self._event(pod, obstacle.reason, str(obstacle), kind="Warning")

    def _create(self, key: tuple[str, str], pod: Manifest) -> Sandbox:
        node = self._nodes[pod["spec"]["nodeName"]]
        self._refuse_what_is_not_done(pod)
        for container in pod["spec"]["containers"]:
            self._referred(pod, container)
        placement = self._place(pod, node)
        self._told.pop(key, None)
        sandbox = Sandbox(placement, lambda: self._enqueue(key))
        self._sandboxes[key] = sandbox
        for container in pod["spec"]["containers"]:
            self._start(pod, sandbox, container)
        self._report(pod, sandbox)
        self._on_pods()
        return sandbox

    def _refuse_what_is_not_done(self, pod: Manifest) -> None:
        """Raises _NotYet, for good. Containers without a process of their own may ask for anything: the agents act."""
        programs = [(resolve(container["image"]), container) for container in pod["spec"]["containers"]]
        asked = refused(pod)
        if asked and any(program and program.argv(container) is not None for program, container in programs):
            message = f"the embedded lab does not do: {', '.join(asked)}"
            raise _NotYet("Failed", f"Error: {message}", None, CONFIG_ERROR, message)

    def _referred(self, pod: Manifest, container: Mapping[str, Any]) -> dict[str, str]:
        """Variables from other objects. Raises _NotYet."""
        try:
            return referred(container, self._reader(pod))
        except ConfigNotReady as fault:
            message = str(fault)
            raise _NotYet("Failed", f"Error: {message}", VOLUME_RETRY_SECONDS, CONFIG_ERROR, message) from fault

    def _reader(self, pod: Manifest) -> Callable[[Kind, str], Manifest | None]:
        return lambda kind, name: self._cluster.get(kind, name, pod["metadata"]["namespace"])

    def _place(self, pod: Manifest, node: KubeletNode) -> Placement:
        metadata = pod["metadata"]
        common = (metadata["namespace"], metadata["name"], metadata["uid"], node.name)
        if pod["spec"].get("hostNetwork"):
            return Placement(*common, host=node.host, address=node.address, own_host=False)
        if not self._networks.is_ready(node.name):
            raise _NotYet("NetworkNotReady", f"network is not ready: {NETWORK_NOT_READY}")
        volumes = self._volumes(pod)
        if volumes.files:
            self._mounts[key_of(pod)] = volumes.files
            self._watch_secrets()
        address = node.addresses.take()
        files = {
            **volumes.files,
            "/etc/resolv.conf": pod_resolv_conf(metadata["namespace"], self._dns_address),
            "/etc/hosts": _hosts_file(pod, address),
        }
        host = self._maker.make(metadata["name"][:63], HOST_SYSCTLS, files, directory=f"pod-{metadata['uid']}")
        host.ready.result(START_TIMEOUT_SECONDS)
        if volumes.directories:
            host.run(["mkdir", "-p", *volumes.directories])
        interface = interface_of(metadata["uid"])
        connect_pod(self._ip, node.host, host, interface, address, node.addresses.gateway)
        return Placement(*common, host=host, address=address, own_host=True, interface=interface)

    def _volumes(self, pod: Manifest) -> Mounted:
        try:
            return mounted(pod, self._reader(pod))
        except VolumeNotReady as fault:
            raise _NotYet("FailedMount", str(fault), again_seconds=VOLUME_RETRY_SECONDS) from fault

    def _start(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any]) -> None:
        image, name = container["image"], container["name"]
        program = resolve(image)
        if program is None:
            message = f'failed to pull and unpack image "{image}": the embedded lab has no program for this image'
            sandbox.cannot_run(name, image, "ErrImagePull", message)
            self._event(pod, "Failed", f'Failed to pull image "{image}": {message}', kind="Warning")
            return
        self._run(pod, sandbox, container, program)

    def _run(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any], program: Program) -> None:
        name, image = container["name"], container["image"]
        setup = self._setup(pod, sandbox, container)
        argv = program.argv(container, setup.environment)
        if argv is None:
            service = self._services.get(program.image)
            if service:
                self._start_service(pod, sandbox, service)
            sandbox.run_nothing(name, image)
        elif why := self._run_process(pod, sandbox, container, argv, setup):
            self._event(pod, "Failed", f"Error: {why}", kind="Warning")
            return
        elif sandbox.placement.own_host and program.entrypoint:
            _wait_listening(sandbox.placement.host.netns, container)
        self._event(pod, "Started", f"Started container {name}")

    def _run_process(
        self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any], argv: list[str], setup: Setup
    ) -> str | None:
        """Start it and its probes; or why it cannot be."""
        health = initial_health(container)
        name = container["name"]
        why = sandbox.run(
            name, container["image"], argv, setup, started_up=health.started, healthy=health.ready or not health.started
        )
        if why is None and has_probes(container):
            number = next(view.number for view in sandbox.views if view.name == name)
            netns = self._nodes[sandbox.placement.node].host.netns
            grace = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
            start_probing(Ground(sandbox, container, number, netns, grace, functools.partial(self._tell_of_probe, pod)))
        return why

    def _tell_of_probe(self, pod: Manifest, kind: str, text: str) -> None:
        with contextlib.suppress(ApiError):  # the pod's namespace may be going
            if kind:
                self._event(pod, "Unhealthy", f"{WORDS[kind]} probe failed: {text}", kind="Warning")
            else:
                self._event(pod, "Killing", text)

    def _setup(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any]) -> Setup:
        placement = sandbox.placement
        others = self._referred(pod, container)
        environment = environment_of(pod, container, placement.address, self._nodes[placement.node].address, others)
        directory = container.get("workingDir") or Setup().directory
        if container.get("workingDir"):
            placement.host.run(["mkdir", "-p", directory])
        return Setup(environment, directory)

    def _start_service(self, pod: Manifest, sandbox: Sandbox, service: ContainerService) -> None:
        self._served[key_of(pod)] = service, pod
        try:
            service.started(pod)
        except LabError:
            self._remove(key_of(pod), sandbox, 0.0)  # so that the worker's next attempt starts anew
            raise

    def _keep_running(self, pod: Manifest, sandbox: Sandbox) -> float | None:
        """Start anew what has ended, as restartPolicy says, and what has another image now; seconds until it is time
        for the next, or None.
        """
        again: list[float] = []
        wanted = {container["name"]: container for container in pod["spec"]["containers"]}
        for view in sandbox.views:
            container = wanted[view.name]
            if view.image != container["image"]:
                self._replace(pod, sandbox, container)
            elif _shall_run_again(pod, view):
                again.append(self._run_again(pod, sandbox, container, view))
        self._report(pod, sandbox)
        return min((pause for pause in again if pause > 0), default=None)

    def _replace(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any]) -> None:
        name = container["name"]
        self._event(pod, "Killing", f"Container {name} definition changed, will be restarted")
        sandbox.end(name, float(pod["spec"].get("terminationGracePeriodSeconds", 30)))
        self._start(pod, sandbox, container)

    def _run_again(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any], view: ContainerView) -> float:
        """Run it when it is time; how long it is until then, or 0."""
        pause = back_off_seconds(view.restarts)
        left = pause - (time.time() - (view.finished or now()).timestamp())
        program = resolve(container["image"])
        if left <= 0 and program:
            self._run(pod, sandbox, container, program)
            return 0.0
        if view.waiting != BACK_OFF:
            metadata = pod["metadata"]
            what = f"failed container {view.name} in pod {metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            sandbox.back_off(view.name, f"back-off {_go_duration(pause)} restarting {what}")
            self._event(pod, "BackOff", f"Back-off restarting {what}", kind="Warning")
        return left

    def _report(self, pod: Manifest, sandbox: Sandbox) -> None:
        placement = sandbox.placement
        node = self._nodes[placement.node]
        self._write_status(pod, pod_status(pod, str(node.address), str(placement.address), sandbox.views))

    def _write_status(self, pod: Manifest, status: dict[str, Any]) -> None:
        if pod.get("status", {}) == {**pod.get("status", {}), **status}:
            return
        namespace, name = key_of(pod)
        try:
            self._cluster.patch(POD, name, {"status": status}, namespace, type="merge", subresource="status")
        except ApiError as fault:
            if fault.code != 404:
                raise

    def _end(self, key: tuple[str, str], pod: Manifest, sandbox: Sandbox | None) -> None:
        """A pod that shall go: stop it within its grace, then tell the API server that it is gone."""
        if sandbox:
            self._remove(key, sandbox, float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
        self._cluster.delete(POD, key[1], key[0], grace_period_seconds=0)

    def _remove(self, key: tuple[str, str], sandbox: Sandbox, grace_seconds: float) -> None:
        del self._sandboxes[key]
        self._mounts.pop(key, None)
        service, served = self._served.pop(key, (None, None))
        if service and served:
            service.ended(served)
        sandbox.stop(grace_seconds)
        if sandbox.placement.own_host:
            self._nodes[sandbox.placement.node].addresses.release(sandbox.placement.address)
        self._on_pods()

    def _event(self, pod: Manifest, reason: str, message: str, kind: str = "Normal") -> None:
        metadata = pod["metadata"]
        moment = stamp(now())
        self._cluster.create(
            {
                "apiVersion": EVENT.api_version,
                "kind": EVENT.kind,
                "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
                "involvedObject": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                },
                "reason": reason,
                "message": message,
                "type": kind,
                "count": 1,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "source": {"component": "kubelet", "host": pod["spec"]["nodeName"]},
            }
        )


def _wait_listening(netns: int, container: Mapping[str, Any]) -> None:
    """Wait a moment for a server image to listen on its declared ports.

    The real image listens within milliseconds of its start and Python takes longer; without this a pod would count as
    ready while it still refuses connections, which is this lab's own artefact.
    """
    until = time.monotonic() + LISTEN_PATIENCE_SECONDS
    for port in container.get("ports", []):
        while port.get("protocol", "TCP") == "TCP" and time.monotonic() < until:
            try:
                address = ("127.0.0.1", port["containerPort"])
                socket_in(netns, lambda address=address: socket.create_connection(address, 1)).close()  # type: ignore[misc]
                break
            except OSError:
                time.sleep(0.005)


def back_off_seconds(restarts: int) -> float:
    """How long an ended container waits before it starts again."""
    return min(FIRST_BACK_OFF_SECONDS * 2 ** (restarts - 1), LONGEST_BACK_OFF_SECONDS) if restarts else 0.0


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _shall_run_again(pod: Manifest, view: ContainerView) -> bool:
    if view.exit_status is None or view.waiting not in (None, BACK_OFF):
        return False
    policy = pod["spec"].get("restartPolicy", "Always")
    return policy == "Always" or (policy == "OnFailure" and view.exit_status != 0)


class _NotYet(Exception):
    """A pod that cannot be made yet; reason and text are those of the event. again_seconds: None waits for news.

    waiting, told: what its containers' states say meanwhile.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        again_seconds: float | None = None,
        waiting: str = "ContainerCreating",
        told: str = "",
    ) -> None:
        super().__init__(message)
        self.reason, self.again_seconds, self.waiting, self.told = reason, again_seconds, waiting, told


def _hosts_file(pod: Manifest, address: IPv4Address) -> str:
    aliases = (f"{one['ip']}\t{' '.join(one['hostnames'])}\n" for one in pod["spec"].get("hostAliases") or ())
    return f"127.0.0.1\tlocalhost\n{address}\t{pod['metadata']['name']}\n{''.join(aliases)}"
