"""Helm's side of an installation: the values of each command, and the release that Helm keeps as a Secret."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bgplab.spec.cilium_install.objects import NAMESPACE, other_pods, system_object
from bgplab.spec.cilium_install.remotes import Remote
from bgplab.spec.manifest_files import Manifest
from bgplab.spec.model import ClusterSpec, LabSpec


def install_values(spec: LabSpec, cluster: ClusterSpec) -> dict[str, Any]:
    """The guide's Helm values."""
    return {
        "cluster": {"name": cluster.name, "id": cluster.id},
        "ipam": {"mode": "kubernetes"},
        "kubeProxyReplacement": True,
        "bpf": {"masquerade": True},
        "endpointHealthChecking": {"enabled": False},
        "healthChecking": False,
        "operator": {"replicas": 1},
        "debug": {"enabled": True},
        "routingMode": "native",
        "autoDirectNodeRoutes": True,
        "ipv4NativeRoutingCIDR": str(cluster.pod_cidr),
        "ipMasqAgent": {"enabled": True, "config": {"nonMasqueradeCIDRs": other_pods(spec, cluster)}},
        "envoy": {"enabled": False},
    }


def enable_values(spec: LabSpec, cluster: ClusterSpec) -> dict[str, Any]:
    """What `clustermesh enable` adds to them; the node port is set, since Helm's is the same in every cluster."""
    apiserver_values = {
        "service": {"type": "NodePort", "nodePort": cluster.mesh.node_port},
        "tls": {"auto": {"enabled": True, "method": "cronJob", "schedule": "0 0 1 */4 *"}},
        "kvstoremesh": {"enabled": False},
    }
    return install_values(spec, cluster) | {"clustermesh": {"useAPIServer": True, "apiserver": apiserver_values}}


def connect_values(spec: LabSpec, cluster: ClusterSpec, remotes: Iterable[Remote]) -> dict[str, Any]:
    clusters = [{"name": remote.cluster, "ips": [str(remote.address)], "port": remote.port} for remote in remotes]
    values = enable_values(spec, cluster)
    return values | {"clustermesh": {**values["clustermesh"], "config": {"enabled": True, "clusters": clusters}}}


def helm_releases(cluster: ClusterSpec, revisions: Sequence[Mapping[str, Any]], now: datetime) -> list[Manifest]:
    """Helm's record of a release: a Secret per revision, of which the last is deployed.

    revisions: the values of each. The chart and the rendered manifest are left out of it.
    """
    last = len(revisions)
    return [
        _helm_release(cluster, number, "deployed" if number == last else "superseded", values, now)
        for number, values in enumerate(revisions, start=1)
    ]


def _helm_release(
    cluster: ClusterSpec, revision: int, status: str, values: Mapping[str, Any], now: datetime
) -> Manifest:
    version = cluster.cilium_version
    description = "Install complete" if revision == 1 else "Upgrade complete"
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    release = {
        "name": "cilium",
        "info": {
            "first_deployed": moment,
            "last_deployed": moment,
            "deleted": "",
            "description": description,
            "status": status,
        },
        "chart": {"metadata": {"name": "cilium", "version": version, "appVersion": version, "apiVersion": "v2"}},
        "config": values,
        "manifest": "",
        "version": revision,
        "namespace": NAMESPACE,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode(), mtime=0))  # Helm's own encoding …
    labels = {"owner": "helm", "name": "cilium", "status": status, "version": str(revision)}
    return system_object("v1", "Secret", f"sh.helm.release.v1.cilium.v{revision}", labels) | {
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},  # … and Kubernetes'
    }
