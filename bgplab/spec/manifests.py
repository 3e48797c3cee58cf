"""The Kubernetes manifests of a lab, as plain dictionaries, grouped by the guide's steps.

Rendered from the guide's description they are the guide's manifests, object for object (tests/spec/test_manifests.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from bgplab.spec.derived import app_nodes, client_node, peer_address, peer_names
from bgplab.spec.kinds import cilium_api_versions
from bgplab.spec.manifest_files import Manifest, read_manifests
from bgplab.spec.model import App, ClusterSpec, LabSpec

# The label by which the peer configuration finds its advertisements.
ADVERTISE = {"advertise": "bgp"}
POD_ADVERTISEMENT = "bgp-advertisements"


def by_step(spec: LabSpec, cluster: ClusterSpec) -> dict[str, list[Manifest]]:
    """All manifests of a cluster by the step that applies them; a user's own come with the sample application."""
    return {
        "G03": [*sample_app(cluster), *workloads(cluster)],
        "G11": bgp_resources(spec, cluster),
        "G18": lb_pool(cluster),
        "G21": service_advertisement(cluster),
    }


def by_cluster(spec: LabSpec) -> dict[str, dict[str, list[Manifest]]]:
    """All manifests of a lab, by cluster and step; those of a mesh are in `mesh_manifests.py`."""
    if spec.is_mesh:
        from bgplab.spec import mesh_manifests

        return mesh_manifests.by_cluster(spec)
    return {cluster.name: by_step(spec, cluster) for cluster in spec.clusters}


def sample_app(cluster: ClusterSpec) -> list[Manifest]:
    """G03: Deployment (one pod per node at most), Service, client pod; before them their namespace, if not default."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.app.namespace}}
    objects = [_deployment(cluster), _service(cluster), _client(cluster)]
    return objects if cluster.app.namespace == "default" else [namespace, *objects]


def bgp_resources(spec: LabSpec, cluster: ClusterSpec | None = None) -> list[Manifest]:
    """G11: advertisement of pod CIDRs, peer configuration, cluster configuration with one peer per router."""
    cluster = cluster or spec.cluster
    return [_pod_advertisement(cluster), _peer_config(cluster), _cluster_config(spec, cluster)]


def lb_pool(cluster: ClusterSpec) -> list[Manifest]:
    """G18: the LoadBalancer IP pool."""
    pool = cluster.pool
    spec = {"allowFirstLastIPs": "Yes" if pool.allow_first_last else "No", "blocks": [{"cidr": str(pool.cidr)}]}
    return [_cilium(cluster, "CiliumLoadBalancerIPPool", pool.name, spec)]


def service_advertisement(cluster: ClusterSpec) -> list[Manifest]:
    """G21: advertisement of the Service's LoadBalancer address."""
    advertisement = {
        "advertisementType": "Service",
        "service": {"addresses": ["LoadBalancerIP"]},
        "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": [cluster.app.name]}]},
    }
    name = f"bgp-advertisements-lb-exip-{cluster.app.name}"
    return [_cilium(cluster, "CiliumBGPAdvertisement", name, {"advertisements": [advertisement]}, ADVERTISE)]


def workloads(cluster: ClusterSpec) -> list[Manifest]:
    """A user's own manifests, read again from the files. Raises InputError when they changed for the worse."""
    return [manifest for file in cluster.workloads for manifest in read_manifests(Path(file), cluster.cilium_version)]


def render_yaml(manifests: Iterable[Manifest]) -> str:
    """Manifests as one YAML stream for `kubectl apply -f -`, fields in the order they were made."""
    return yaml.dump_all(manifests, Dumper=_Dumper, sort_keys=False, explicit_start=True, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Without anchors: a value used twice is written twice, as a person would."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# The sample application ----------------------------------------------------------------------------------------------


def _deployment(cluster: ClusterSpec) -> Manifest:
    app = cluster.app
    labels = {"app": app.name}
    apart = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(cluster, app.name, labels),
        "spec": {
            "replicas": app.replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "affinity": {"podAntiAffinity": {_REQUIRED: [apart]}} | _near_bgp(cluster),
                    "containers": [_server(app)],
                },
            },
        },
    }


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _near_bgp(cluster: ClusterSpec) -> dict[str, Any]:
    """Nothing for the guide, whose nodes all have BGP; else pods keep off nodes whose pods no router has a way to.

    By host name, not by the BGP label: nodes get that later (G10).
    """
    homes = app_nodes(cluster)
    if homes == cluster.nodes:
        return {}
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name for node in homes]}
    return {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}}


def _server(app: App) -> Manifest:
    """The container that answers. whoami serves port 80 unless told of another; others ignore the variable."""
    container = {"name": app.name, "image": app.image, "ports": [{"containerPort": app.port}]}
    told = {"env": [{"name": "WHOAMI_PORT_NUMBER", "value": str(app.port)}]}
    return container if app.port == _WHOAMI_PORT else container | told


_WHOAMI_PORT = 80


def _service(cluster: ClusterSpec) -> Manifest:
    app = cluster.app
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(cluster, app.name, {"app": app.name}),
        "spec": {
            "selector": {"app": app.name},
            "ports": [{"port": app.port, "targetPort": app.port}],
            "type": "ClusterIP",
        },
    }


def _client(cluster: ClusterSpec) -> Manifest:
    app = cluster.app
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(cluster, app.client),
        "spec": {
            "nodeName": client_node(cluster).name,
            "containers": [{"name": "curl", "image": app.client_image, "command": ["tail", "-f", "/dev/null"]}],
            "terminationGracePeriodSeconds": 0,
        },
    }


def _metadata(cluster: ClusterSpec, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    namespace = cluster.app.namespace
    return (
        {"name": name}
        | ({} if namespace == "default" else {"namespace": namespace})
        | ({"labels": labels} if labels else {})
    )


# Cilium's resources --------------------------------------------------------------------------------------------------


def _pod_advertisement(cluster: ClusterSpec) -> Manifest:
    spec = {"advertisements": [{"advertisementType": "PodCIDR"}]}
    return _cilium(cluster, "CiliumBGPAdvertisement", POD_ADVERTISEMENT, spec, ADVERTISE)


def _peer_config(cluster: ClusterSpec) -> Manifest:
    bgp = cluster.bgp
    timers = {"holdTimeSeconds": bgp.timers.hold_seconds, "keepAliveTimeSeconds": bgp.timers.keepalive_seconds}
    if bgp.timers.connect_retry_seconds != _CONNECT_RETRY_DEFAULT:
        timers["connectRetryTimeSeconds"] = bgp.timers.connect_retry_seconds
    restart = {"enabled": bgp.graceful_restart.enabled, "restartTimeSeconds": bgp.graceful_restart.restart_seconds}
    family = {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": ADVERTISE}}
    spec = {
        "timers": timers,
        "ebgpMultihop": bgp.ebgp_multihop,
        "gracefulRestart": restart,
        "families": [family],
    }
    return _cilium(cluster, "CiliumBGPPeerConfig", bgp.peer_config, spec)


# The CRD's own default, which the guide's manifest leaves unsaid.
_CONNECT_RETRY_DEFAULT = 120


def _cluster_config(spec: LabSpec, cluster: ClusterSpec) -> Manifest:
    bgp = cluster.bgp
    peers = [
        {
            "name": name,
            "peerASN": router.asn,
            "peerAddress": str(peer_address(router)),
            "peerConfigRef": {"name": bgp.peer_config},
        }
        for name, router in zip(peer_names(spec, cluster), spec.routers, strict=True)
    ]
    instance = {"name": f"instance-{bgp.asn}", "localASN": bgp.asn, "peers": peers}
    selector = {"matchLabels": {bgp.node_label: "true"}}
    body = {"nodeSelector": selector, "bgpInstances": [instance]}
    return _cilium(cluster, "CiliumBGPClusterConfig", bgp.cluster_config, body)


def _cilium(
    cluster: ClusterSpec, kind: str, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None
) -> Manifest:
    return {
        "apiVersion": cilium_api_versions(cluster.cilium_version)[0],
        "kind": kind,
        "metadata": {"name": name} | ({"labels": labels} if labels else {}),
        "spec": spec,
    }
