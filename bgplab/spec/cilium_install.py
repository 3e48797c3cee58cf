"""Cilium as Kubernetes objects: what `cilium install`, `clustermesh enable` and `connect` leave in a cluster.

On a real cluster Helm renders them from Cilium's chart. Here are those that somebody looks at, with the chart's names,
labels and keys (Cilium 1.17/1.18): agents, operator, configuration, certificates, etcd with its NodePort, connections.
Not made: RBAC, cilium-envoy (so `external-envoy-proxy` is false), Hubble's relay and UI, the agents' init containers,
the certgen Job (its certificates are made by `mesh_certificates.py`), KVStoreMesh.

Pure: a description, certificates and a clock in, manifests out; nothing is asked. All in the namespace kube-system.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from bgplab.spec.cilium_images import AGENT_IMAGE, APISERVER_IMAGE, OPERATOR_IMAGE
from bgplab.spec.manifest_files import Manifest
from bgplab.spec.mesh_certificates import Certified, authority_data, certified_data, sign_client, sign_server
from bgplab.spec.model import ClusterSpec, LabSpec

NAMESPACE = "kube-system"
AGENT_LABELS = {"k8s-app": "cilium", "app.kubernetes.io/part-of": "cilium", "app.kubernetes.io/name": "cilium-agent"}
OPERATOR_LABELS = {"io.cilium/app": "operator", "name": "cilium-operator", "app.kubernetes.io/part-of": "cilium"}
APISERVER_LABELS = {"k8s-app": "clustermesh-apiserver", "app.kubernetes.io/part-of": "cilium"}
APISERVER_SELECTOR = {"k8s-app": "clustermesh-apiserver"}

APISERVER = "clustermesh-apiserver"
CLUSTERMESH_SECRET = "cilium-clustermesh"
ETCD_PORT = 2379
#: Where an agent finds what the Secret `cilium-clustermesh` and its own certificate hold.
CLUSTERMESH_DIRECTORY = "/var/lib/cilium/clustermesh"
MESH_DOMAIN = "mesh.cilium.io"
#: In authMode legacy, the default of 1.17 and 1.18, every remote agent is this user of the etcd.
REMOTE_USER = "remote"

MAX_CONNECTED_CLUSTERS = 255


# Install -------------------------------------------------------------------------------------------------------------


def install(spec: LabSpec, cluster: ClusterSpec, authority: Certified, now: datetime) -> list[Manifest]:
    """What `cilium install` with the guide's values makes (M02). The agents come last, as they need the rest."""
    return [
        service_account("cilium"),
        service_account("cilium-operator"),
        config_map(cluster),
        ip_masq_agent(spec, cluster),
        ca_secret(authority),
        operator(cluster),
        agents(cluster),
        *helm_releases(cluster, [install_values(spec, cluster)], now),
    ]


def config_map(cluster: ClusterSpec) -> Manifest:
    """`cilium-config`: those keys of the chart's that the guide sets, or that matter to a mesh."""
    return _object("v1", "ConfigMap", "cilium-config") | {
        "data": {
            "auto-direct-node-routes": "true",
            "bpf-lb-algorithm": "random",
            "bpf-lb-mode": "snat",
            "cluster-id": str(cluster.id),
            "cluster-name": cluster.name,
            "clustermesh-enable-endpoint-sync": "false",
            "clustermesh-enable-mcs-api": "false",
            "debug": "true",
            "direct-routing-skip-unreachable": "false",
            "enable-bgp-control-plane": "false",
            "enable-bpf-masquerade": "true",
            "enable-endpoint-health-checking": "false",
            "enable-health-checking": "false",
            "enable-hubble": "true",
            "enable-ip-masq-agent": "true",
            "enable-ipv4": "true",
            "enable-ipv6": "false",
            "enable-k8s-terminating-endpoint": "true",
            "external-envoy-proxy": "false",
            "identity-allocation-mode": "crd",
            "ipam": "kubernetes",
            "ipv4-native-routing-cidr": str(cluster.pod_cidr),
            "kube-proxy-replacement": "true",
            "max-connected-clusters": str(MAX_CONNECTED_CLUSTERS),
            "routing-mode": "native",
            "service-no-backend-response": "reject",
            "tunnel-protocol": "vxlan",
        }
    }


def ip_masq_agent(spec: LabSpec, cluster: ClusterSpec) -> Manifest:
    """Pods keep their address towards the other clusters' pods."""
    return _object("v1", "ConfigMap", "ip-masq-agent") | {
        "data": {"config": json.dumps({"nonMasqueradeCIDRs": _other_pods(spec, cluster)})}
    }


def ca_secret(authority: Certified) -> Manifest:
    """`cilium-ca`. Helm reuses one that is there; M03 puts one cluster's into the other."""
    return _secret("cilium-ca", authority_data(authority))


def operator(cluster: ClusterSpec) -> Manifest:
    container = {
        "name": "cilium-operator",
        "image": _image(OPERATOR_IMAGE, cluster),
        "command": ["cilium-operator-generic"],
        "args": ["--config-dir=/tmp/cilium/config-map"],
        "env": [_env_from_field("K8S_NODE_NAME", "spec.nodeName")],
    }
    pod = {
        "hostNetwork": True,
        "serviceAccountName": "cilium-operator",
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [container],
    }
    return _object("apps/v1", "Deployment", "cilium-operator", OPERATOR_LABELS) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"io.cilium/app": "operator", "name": "cilium-operator"}},
            "template": _template(OPERATOR_LABELS, pod),
        }
    }


def agents(cluster: ClusterSpec, remotes: Iterable[Remote] = ()) -> Manifest:
    """The DaemonSet `cilium`. remotes: to whose etcd the agents connect; a change of them restarts all agents."""
    container = {
        "name": "cilium-agent",
        "image": _image(AGENT_IMAGE, cluster),
        "command": ["cilium-agent"],
        "args": ["--config-dir=/tmp/cilium/config-map"],
        "env": [_env_from_field("K8S_NODE_NAME", "spec.nodeName")],
        "volumeMounts": [{"name": "clustermesh-secrets", "mountPath": CLUSTERMESH_DIRECTORY, "readOnly": True}],
    }
    aliases = host_aliases(remotes)
    pod = {
        "hostNetwork": True,
        "serviceAccountName": "cilium",
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        **({"hostAliases": aliases} if aliases else {}),
        "containers": [container],
        "volumes": [_clustermesh_secrets()],
    }
    return _object("apps/v1", "DaemonSet", "cilium", AGENT_LABELS) | {
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "cilium"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}},
            "template": _template(AGENT_LABELS, pod),
        }
    }


def _clustermesh_secrets() -> dict[str, Any]:
    renamed = {"tls.key": "common-etcd-client.key", "tls.crt": "common-etcd-client.crt"}
    renamed["ca.crt"] = "common-etcd-client-ca.crt"
    items = [{"key": key, "path": path} for key, path in renamed.items()]
    own = {"name": f"{APISERVER}-remote-cert", "optional": True, "items": items}
    sources = [{"secret": {"name": CLUSTERMESH_SECRET, "optional": True}}, {"secret": own}]
    return {"name": "clustermesh-secrets", "projected": {"defaultMode": 0o400, "sources": sources}}


# Enable --------------------------------------------------------------------------------------------------------------


def enable(spec: LabSpec, cluster: ClusterSpec, authority: Certified, now: datetime) -> list[Manifest]:
    """What `clustermesh enable --service-type NodePort --enable-kvstoremesh=false` adds (M04).

    authority: what `cilium-ca` holds at that moment; replacing it later leaves these certificates behind.
    """
    return [
        service_account(APISERVER),
        *certificates(cluster, authority, now),
        apiserver(cluster),
        apiserver_service(cluster),
        *helm_releases(cluster, [install_values(spec, cluster), enable_values(spec, cluster)], now),
    ]


def certificates(cluster: ClusterSpec, authority: Certified, now: datetime) -> list[Manifest]:
    """The etcd's own certificate, that of its administrator (the exporter), and that of remote agents."""
    signed = {
        "server": sign_server(authority, now),
        "admin": sign_client(authority, f"admin-{cluster.name}", now),
        "remote": sign_client(authority, REMOTE_USER, now),
    }
    return [
        _secret(f"{APISERVER}-{use}-cert", certified_data(pair, authority), "kubernetes.io/tls")
        for use, pair in signed.items()
    ]


def apiserver(cluster: ClusterSpec) -> Manifest:
    """An etcd and the exporter that fills it. It tolerates nothing: a tainted control plane does not get it."""
    image = _image(APISERVER_IMAGE, cluster)
    etcd = {
        "name": "etcd",
        "image": image,
        "command": ["/usr/bin/etcd"],
        "args": [
            "--data-dir=/var/run/etcd",
            f"--name={APISERVER}",
            "--client-cert-auth",
            "--trusted-ca-file=/var/lib/etcd-secrets/ca.crt",
            "--cert-file=/var/lib/etcd-secrets/tls.crt",
            "--key-file=/var/lib/etcd-secrets/tls.key",
            f"--listen-client-urls=https://127.0.0.1:{ETCD_PORT},https://$(HOSTNAME_IP):{ETCD_PORT}",
            f"--advertise-client-urls=https://$(HOSTNAME_IP):{ETCD_PORT}",
            "--initial-cluster-token=$(INITIAL_CLUSTER_TOKEN)",
            "--auto-compaction-retention=1",
            "--listen-metrics-urls=http://$(HOSTNAME_IP):9963",
            "--metrics=basic",
        ],
        "env": [
            {"name": "ETCDCTL_API", "value": "3"},
            _env_from_field("HOSTNAME_IP", "status.podIP"),
            _env_from_field("INITIAL_CLUSTER_TOKEN", "metadata.uid"),
        ],
        "ports": [{"name": "etcd", "containerPort": ETCD_PORT, "protocol": "TCP"}],
        "volumeMounts": [
            {"name": "etcd-server-secrets", "mountPath": "/var/lib/etcd-secrets", "readOnly": True},
            {"name": "etcd-data-dir", "mountPath": "/var/run/etcd"},
        ],
    }
    exporter = {
        "name": "apiserver",
        "image": image,
        "command": ["/usr/bin/clustermesh-apiserver"],
        "args": ["clustermesh", "--cluster-name=$(CLUSTER_NAME)", "--cluster-id=$(CLUSTER_ID)"],
        "env": [
            _env_from_config("CLUSTER_NAME", "cluster-name"),
            _env_from_config("CLUSTER_ID", "cluster-id"),
        ],
        "volumeMounts": [
            {"name": "etcd-admin-client", "mountPath": "/var/lib/cilium/etcd-secrets", "readOnly": True},
        ],
    }
    pod = {
        "serviceAccountName": APISERVER,
        "terminationGracePeriodSeconds": 1,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [etcd, exporter],
        "volumes": [
            {"name": "etcd-server-secrets", "projected": _projected(f"{APISERVER}-server-cert")},
            {"name": "etcd-admin-client", "projected": _projected(f"{APISERVER}-admin-cert")},
            {"name": "etcd-data-dir", "emptyDir": {}},
        ],
    }
    return _object("apps/v1", "Deployment", APISERVER, APISERVER_LABELS) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": APISERVER_SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": _template(APISERVER_LABELS, pod),
        }
    }


def apiserver_service(cluster: ClusterSpec) -> Manifest:
    """By which the other clusters' agents reach the etcd: one unnamed port, on a port of every node."""
    return _object("v1", "Service", APISERVER, APISERVER_LABELS) | {
        "spec": {
            "type": "NodePort",
            "selector": APISERVER_SELECTOR,
            "ports": [
                {
                    "port": ETCD_PORT,
                    "targetPort": ETCD_PORT,
                    "protocol": "TCP",
                    "nodePort": cluster.mesh.node_port,
                }
            ],
        }
    }


# Connect -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Remote:
    """How to reach another cluster's etcd: a node's address and the node port.

    certified, authority: the other side's remote certificate and CA, only needed when the two CAs differ.
    """

    cluster: str
    address: IPv4Address
    port: int
    certified: Certified | None = None
    authority: str = ""

    @property
    def host_name(self) -> str:
        return f"{self.cluster}.{MESH_DOMAIN}"


def remote_of(cluster: ClusterSpec) -> Remote:
    """As the cilium CLI derives it: the first node in list order, that is by name, and the Service's node port."""
    first = min(cluster.nodes, key=lambda node: node.name)
    return Remote(cluster.name, first.address, cluster.mesh.node_port)


def remotes_of(spec: LabSpec, cluster: ClusterSpec) -> tuple[Remote, ...]:
    """All other clusters of the lab."""
    return tuple(remote_of(other) for other in spec.clusters if other.name != cluster.name)


def connect(spec: LabSpec, cluster: ClusterSpec, remotes: Sequence[Remote], now: datetime) -> list[Manifest]:
    """What `clustermesh connect` leaves on one side (M05). Applying it restarts the agents, as there."""
    values = [install_values(spec, cluster), enable_values(spec, cluster), connect_values(spec, cluster, remotes)]
    return [clustermesh_secret(remotes), agents(cluster, remotes), *helm_releases(cluster, values, now)]


def clustermesh_secret(remotes: Iterable[Remote]) -> Manifest:
    """`cilium-clustermesh`: per remote cluster an etcd client's configuration, as YAML."""
    data: dict[str, str] = {}
    for remote in remotes:
        prefix = f"{remote.cluster}." if remote.certified else "common-"
        files = f"{CLUSTERMESH_DIRECTORY}/{prefix}etcd-client"
        text = (
            f"endpoints:\n- https://{remote.host_name}:{remote.port}\n"
            f"trusted-ca-file: {files}-ca.crt\nkey-file: {files}.key\ncert-file: {files}.crt\n"
        )
        data[remote.cluster] = base64.b64encode(text.encode()).decode()
        if remote.certified:
            own = {"-ca.crt": remote.authority, ".key": remote.certified.key, ".crt": remote.certified.certificate}
            for ending, pem in own.items():
                data[f"{remote.cluster}.etcd-client{ending}"] = base64.b64encode(pem.encode()).decode()
    return _secret(CLUSTERMESH_SECRET, data)


def host_aliases(remotes: Iterable[Remote]) -> list[dict[str, Any]]:
    """Names of the remote etcds in the agents' /etc/hosts; names of one address stand together, as Kubernetes asks."""
    names: dict[str, list[str]] = {}
    for remote in remotes:
        names.setdefault(str(remote.address), []).append(remote.host_name)
    return [{"ip": address, "hostnames": listed} for address, listed in names.items()]


# Helm ----------------------------------------------------------------------------------------------------------------


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
        "ipMasqAgent": {"enabled": True, "config": {"nonMasqueradeCIDRs": _other_pods(spec, cluster)}},
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
    version = _patch_version(cluster)
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
    return _object("v1", "Secret", f"sh.helm.release.v1.cilium.v{revision}", labels) | {
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},  # … and Kubernetes'
    }


# ---------------------------------------------------------------------------------------------------------------------


def service_account(name: str) -> Manifest:
    return _object("v1", "ServiceAccount", name)


def _object(api_version: str, kind: str, name: str, labels: Mapping[str, str] | None = None) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE} | ({"labels": dict(labels)} if labels else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _secret(name: str, data: Mapping[str, str], type: str = "Opaque") -> Manifest:
    return _object("v1", "Secret", name) | {"type": type, "data": dict(data)}


def _template(labels: Mapping[str, str], pod: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"labels": dict(labels)}, "spec": pod}


def _env_from_field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _env_from_config(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": "cilium-config", "key": key}}}


def _projected(secret: str) -> dict[str, Any]:
    return {"defaultMode": 0o400, "sources": [{"secret": {"name": secret}}]}


def _other_pods(spec: LabSpec, cluster: ClusterSpec) -> list[str]:
    return [str(other.pod_cidr) for other in spec.clusters if other.name != cluster.name]


def _image(name: str, cluster: ClusterSpec) -> str:
    return f"{name}:v{_patch_version(cluster)}"


def _patch_version(cluster: ClusterSpec) -> str:
    version = cluster.cilium_version
    return version if version.count(".") == 2 else f"{version}.0"
