"""What `cilium install` with the guide's values makes (M02): agents, operator, configuration, CA."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bgplab.spec.cilium_images import AGENT_IMAGE, OPERATOR_IMAGE
from bgplab.spec.cilium_install.helm import helm_releases, install_values
from bgplab.spec.cilium_install.objects import (
    env_from_field,
    image_of,
    other_pods,
    secret,
    service_account,
    system_object,
    template,
)
from bgplab.spec.cilium_install.remotes import (
    APISERVER,
    CLUSTERMESH_DIRECTORY,
    CLUSTERMESH_SECRET,
    Remote,
    host_aliases,
)
from bgplab.spec.manifest_files import Manifest
from bgplab.spec.mesh_certificates import Certified, authority_data
from bgplab.spec.model import ClusterSpec, LabSpec

AGENT_LABELS = {"k8s-app": "cilium", "app.kubernetes.io/part-of": "cilium", "app.kubernetes.io/name": "cilium-agent"}
OPERATOR_LABELS = {"io.cilium/app": "operator", "name": "cilium-operator", "app.kubernetes.io/part-of": "cilium"}

MAX_CONNECTED_CLUSTERS = 255


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
    return system_object("v1", "ConfigMap", "cilium-config") | {
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
    return system_object("v1", "ConfigMap", "ip-masq-agent") | {
        "data": {"config": json.dumps({"nonMasqueradeCIDRs": other_pods(spec, cluster)})}
    }


def ca_secret(authority: Certified) -> Manifest:
    """`cilium-ca`. Helm reuses one that is there; M03 puts one cluster's into the other."""
    return secret("cilium-ca", authority_data(authority))


def operator(cluster: ClusterSpec) -> Manifest:
    container = {
        "name": "cilium-operator",
        "image": image_of(OPERATOR_IMAGE, cluster),
        "command": ["cilium-operator-generic"],
        "args": ["--config-dir=/tmp/cilium/config-map"],
        "env": [env_from_field("K8S_NODE_NAME", "spec.nodeName")],
    }
    pod = {
        "hostNetwork": True,
        "serviceAccountName": "cilium-operator",
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [container],
    }
    return system_object("apps/v1", "Deployment", "cilium-operator", OPERATOR_LABELS) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"io.cilium/app": "operator", "name": "cilium-operator"}},
            "template": template(OPERATOR_LABELS, pod),
        }
    }


def agents(cluster: ClusterSpec, remotes: Iterable[Remote] = ()) -> Manifest:
    """The DaemonSet `cilium`. remotes: to whose etcd the agents connect; a change of them restarts all agents."""
    container = {
        "name": "cilium-agent",
        "image": image_of(AGENT_IMAGE, cluster),
        "command": ["cilium-agent"],
        "args": ["--config-dir=/tmp/cilium/config-map"],
        "env": [env_from_field("K8S_NODE_NAME", "spec.nodeName")],
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
    return system_object("apps/v1", "DaemonSet", "cilium", AGENT_LABELS) | {
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "cilium"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}},
            "template": template(AGENT_LABELS, pod),
        }
    }


def _clustermesh_secrets() -> dict[str, Any]:
    renamed = {"tls.key": "common-etcd-client.key", "tls.crt": "common-etcd-client.crt"}
    renamed["ca.crt"] = "common-etcd-client-ca.crt"
    items = [{"key": key, "path": path} for key, path in renamed.items()]
    own = {"name": f"{APISERVER}-remote-cert", "optional": True, "items": items}
    sources = [{"secret": {"name": CLUSTERMESH_SECRET, "optional": True}}, {"secret": own}]
    return {"name": "clustermesh-secrets", "projected": {"defaultMode": 0o400, "sources": sources}}
