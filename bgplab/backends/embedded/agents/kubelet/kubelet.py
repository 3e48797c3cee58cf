"""The kubelets of a cluster's nodes: pods bound to a node become namespaces and processes, and their status follows.

An ordinary client of the Kubernetes API: it watches pods and writes their status.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from bgplab.backends.embedded.agents.dns import pod_resolv_conf
from bgplab.backends.embedded.agents.kubelet.addresses import PodAddresses
from bgplab.backends.embedded.agents.kubelet.network import connect_pod, interface_of
from bgplab.backends.embedded.agents.kubelet.sandbox import Placement, Sandbox
from bgplab.backends.embedded.agents.kubelet.status import now, pod_status, stamp
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.agents.programs.images import Program, resolve
from bgplab.backends.embedded.controllers.runtime import Informers, Worker, key_of
from bgplab.backends.embedded.hosts.making import HostMaker
from bgplab.backends.embedded.hosts.switchboard import START_TIMEOUT_SECONDS, Host
from bgplab.backends.embedded.wiring.plan import HOST_SYSCTLS
from bgplab.lab.cluster import EVENT, POD, ApiError, Cluster, Manifest

logger = logging.getLogger(__name__)

RESTART_BACKOFF_SECONDS = 10.0
LISTEN_PATIENCE_SECONDS = 3.0
WORKERS = 4


@dataclass(frozen=True, slots=True)
class KubeletNode:
    """A node that pods can be run on."""

    name: str
    host: Host
    address: IPv4Address
    addresses: PodAddresses


class Kubelet:
    """All nodes' kubelets in one: reconciles one pod at a time per worker."""

    def __init__(
        self,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        nodes: Mapping[str, KubeletNode],
        maker: HostMaker,
        dns_address: IPv4Address,
        on_pods: Callable[[], None] = lambda: None,
    ) -> None:
        self._cluster, self._nodes, self._maker = cluster, nodes, maker
        self._dns_address = dns_address
        self._on_pods = on_pods
        self._pods = informers.of(POD)
        self._ip = maker.lab_command("usr/bin/ip")
        self._sandboxes: dict[tuple[str, str], Sandbox] = {}
        self._workers = [Worker(f"kubelet-{n}", self._reconcile, stop, [self._pods]) for n in range(WORKERS)]
        self._pods.subscribe(self._changed)

    def sandbox(self, namespace: str, name: str) -> Sandbox | None:
        return self._sandboxes.get((namespace, name))

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old
        assert pod is not None
        if pod["spec"].get("nodeName") in self._nodes:
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
            sandbox = self._create(key, pod)
        return self._keep_running(pod, sandbox)

    def _create(self, key: tuple[str, str], pod: Manifest) -> Sandbox:
        node = self._nodes[pod["spec"]["nodeName"]]
        placement = self._place(pod, node)
        sandbox = Sandbox(placement, lambda: self._enqueue(key))
        self._sandboxes[key] = sandbox
        for container in pod["spec"]["containers"]:
            self._start(pod, sandbox, container)
        self._report(pod, sandbox)
        self._on_pods()
        return sandbox

    def _place(self, pod: Manifest, node: KubeletNode) -> Placement:
        metadata = pod["metadata"]
        common = (metadata["namespace"], metadata["name"], metadata["uid"], node.name)
        if pod["spec"].get("hostNetwork"):
            return Placement(*common, host=node.host, address=node.address, own_host=False)
        address = node.addresses.take()
        files = {
            "/etc/resolv.conf": pod_resolv_conf(metadata["namespace"], self._dns_address),
            "/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{metadata['name']}\n",
        }
        host = self._maker.make(metadata["name"][:63], HOST_SYSCTLS, files, directory=f"pod-{metadata['uid']}")
        host.ready.result(START_TIMEOUT_SECONDS)
        interface = interface_of(metadata["uid"])
        connect_pod(self._ip, node.host, host, interface, address, node.addresses.gateway)
        return Placement(*common, host=host, address=address, own_host=True, interface=interface)

    def _start(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any]) -> None:
        image, name = container["image"], container["name"]
        program = resolve(image)
        if program is None:
            message = f'failed to pull and unpack image "{image}": the embedded lab has no program for this image'
            sandbox.cannot_run(name, image, "ErrImagePull", message)
            self._event(pod, "Failed", f'Failed to pull image "{image}": {message}', kind="Warning")
            return
        self._run(pod, sandbox, container, program)
        self._event(pod, "Started", f"Started container {name}")

    def _run(self, pod: Manifest, sandbox: Sandbox, container: Mapping[str, Any], program: Program) -> None:
        argv = program.argv(container)
        if argv is None:
            sandbox.run_nothing(container["name"], container["image"])
        else:
            sandbox.run(container["name"], container["image"], argv, _environment(pod, container))
            if sandbox.placement.own_host and program.entrypoint:
                _wait_listening(sandbox.placement.host.netns, container)

    def _keep_running(self, pod: Manifest, sandbox: Sandbox) -> float | None:
        """Start ended containers again as restartPolicy says; seconds until it is time, or None."""
        policy = pod["spec"].get("restartPolicy", "Always")
        again: float | None = None
        for view in sandbox.views:
            if view.exit_status is None or view.waiting or policy == "Never":
                continue
            if policy == "OnFailure" and view.exit_status == 0:
                continue
            waited = time.time() - (view.finished or now()).timestamp()
            pause = 0.0 if view.restarts == 0 else RESTART_BACKOFF_SECONDS
            if waited < pause:
                again = min(again or pause, pause - waited)
                continue
            container = next(one for one in pod["spec"]["containers"] if one["name"] == view.name)
            program = resolve(view.image)
            if program:
                self._run(pod, sandbox, container, program)
        self._report(pod, sandbox)
        return again

    def _report(self, pod: Manifest, sandbox: Sandbox) -> None:
        placement = sandbox.placement
        node = self._nodes[placement.node]
        status = pod_status(pod, str(node.address), str(placement.address), sandbox.views)
        if pod.get("status", {}) != {**pod.get("status", {}), **status}:
            try:
                self._cluster.patch(
                    POD, placement.name, {"status": status}, placement.namespace, type="merge", subresource="status"
                )
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


def _environment(pod: Manifest, container: Mapping[str, Any]) -> dict[str, str]:
    """Literal variables only; references to other objects are not provided in the embedded lab."""
    given: Sequence[Mapping[str, Any]] = container.get("env", [])
    return {"HOSTNAME": pod["metadata"]["name"]} | {one["name"]: one["value"] for one in given if "value" in one}
