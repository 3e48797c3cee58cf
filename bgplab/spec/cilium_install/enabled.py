"""What `clustermesh enable` and `connect` add (M04, M05): etcd and exporter, their certificates, the connections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bgplab.spec.cilium_images import APISERVER_IMAGE
from bgplab.spec.cilium_install.helm import connect_values, enable_values, helm_releases, install_values
from bgplab.spec.cilium_install.installed import agents
from bgplab.spec.cilium_install.objects import (
    env_from_config,
    env_from_field,
    image_of,
    projected,
    secret,
    service_account,
    system_object,
    template,
)
from bgplab.spec.cilium_install.remotes import APISERVER, Remote, clustermesh_secret
from bgplab.spec.manifest_files import Manifest
from bgplab.spec.mesh_certificates import Certified, certified_data, sign_client, sign_server
from bgplab.spec.model import ClusterSpec, LabSpec

APISERVER_LABELS = {"k8s-app": "clustermesh-apiserver", "app.kubernetes.io/part-of": "cilium"}
APISERVER_SELECTOR = {"k8s-app": "clustermesh-apiserver"}

ETCD_PORT = 2379
#: In authMode legacy, the default of 1.17 and 1.18, every remote agent is this user of the etcd.
REMOTE_USER = "remote"


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
        secret(f"{APISERVER}-{use}-cert", certified_data(pair, authority), "kubernetes.io/tls")
        for use, pair in signed.items()
    ]


def apiserver(cluster: ClusterSpec) -> Manifest:
    """An etcd and the exporter that fills it. It tolerates nothing: a tainted control plane does not get it."""
    image = image_of(APISERVER_IMAGE, cluster)
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
            env_from_field("HOSTNAME_IP", "status.podIP"),
            env_from_field("INITIAL_CLUSTER_TOKEN", "metadata.uid"),
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
            env_from_config("CLUSTER_NAME", "cluster-name"),
            env_from_config("CLUSTER_ID", "cluster-id"),
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
            {"name": "etcd-server-secrets", "projected": projected(f"{APISERVER}-server-cert")},
            {"name": "etcd-admin-client", "projected": projected(f"{APISERVER}-admin-cert")},
            {"name": "etcd-data-dir", "emptyDir": {}},
        ],
    }
    return system_object("apps/v1", "Deployment", APISERVER, APISERVER_LABELS) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": APISERVER_SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template(APISERVER_LABELS, pod),
        }
    }


def apiserver_service(cluster: ClusterSpec) -> Manifest:
    """By which the other clusters' agents reach the etcd: one unnamed port, on a port of every node."""
    return system_object("v1", "Service", APISERVER, APISERVER_LABELS) | {
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


def connect(spec: LabSpec, cluster: ClusterSpec, remotes: Sequence[Remote], now: datetime) -> list[Manifest]:
    """What `clustermesh connect` leaves on one side (M05). Applying it restarts the agents, as there."""
    values = [install_values(spec, cluster), enable_values(spec, cluster), connect_values(spec, cluster, remotes)]
    return [clustermesh_secret(remotes), agents(cluster, remotes), *helm_releases(cluster, values, now)]
