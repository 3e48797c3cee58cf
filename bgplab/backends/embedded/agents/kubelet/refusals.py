"""What a pod may ask for that the lab does not do. Such a pod is not run as if it had not asked: it waits, saying so.

What changes nothing about what a pod does here is let through: resources, securityContext, ports on the host, the
life of a volume's files beyond the pod's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bgplab.backends.embedded.agents.kubelet.environment import is_field
from bgplab.lab.cluster import Manifest

PROBED = ("startupProbe", "readinessProbe", "livenessProbe")
PROBES = frozenset({"exec", "httpGet", "tcpSocket"})
VOLUMES = frozenset({"emptyDir", "secret", "configMap", "projected"})
SOURCES = frozenset({"secret", "configMap"})
OF_PODS = {
    "initContainers": "init containers",
    "activeDeadlineSeconds": "activeDeadlineSeconds",
    "dnsConfig": "dnsConfig",
    "readinessGates": "readiness gates",
    "hostPID": "hostPID",
}
OF_CONTAINERS = {
    "lifecycle": "lifecycle hooks",
}


def refused(pod: Manifest) -> list[str]:
    """Each thing that the lab does not do, once, in the words of a message."""
    return list(dict.fromkeys([*_of_pod(pod["spec"]), *_of_volumes(pod["spec"]), *_of_containers(pod["spec"])]))


def _of_pod(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from (words for field, words in OF_PODS.items() if spec.get(field))
    if spec.get("dnsPolicy", "ClusterFirst") not in ("ClusterFirst", "ClusterFirstWithHostNet"):
        yield f"dnsPolicy {spec['dnsPolicy']}"


def _of_volumes(spec: Mapping[str, Any]) -> Iterator[str]:
    mounts = [mount for container in spec["containers"] for mount in container.get("volumeMounts") or ()]
    used = {mount["name"] for mount in mounts}
    for volume in spec.get("volumes") or ():
        if volume["name"] in used:
            yield from (f"volumes of type {kind}" for kind in volume.keys() - VOLUMES - {"name"})
            for source in (volume.get("projected") or {}).get("sources") or ():
                yield from (f"projected volumes from {kind}" for kind in source.keys() - SOURCES)
    if any(mount.get("subPath") or mount.get("subPathExpr") for mount in mounts):
        yield "subPath"


def _of_containers(spec: Mapping[str, Any]) -> Iterator[str]:
    for container in spec["containers"]:
        yield from (words for field, words in OF_CONTAINERS.items() if container.get(field))
        if any(probe and not probe.keys() & PROBES for probe in map(container.get, PROBED)):
            yield "gRPC probes"
        for one in container.get("env") or ():
            source = one.get("valueFrom") or {}
            path = (source.get("fieldRef") or {}).get("fieldPath")
            if "resourceFieldRef" in source:
                yield "variables of resources"
            elif path and not is_field(path):
                yield f"variables of {path}"
