"""The guide's description renders the guide's manifests, object for object. The texts here are the guide's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bgplab.spec import manifests
from bgplab.spec.loading import load_lab, parse_lab, shipped_labs

GUIDE = load_lab("guide")

SAMPLE_APP = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: webpod
  labels:
    app: webpod
spec:
  replicas: 3
  selector:
    matchLabels:
      app: webpod
  template:
    metadata:
      labels:
        app: webpod
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - labelSelector:
              matchLabels:
                app: webpod
            topologyKey: "kubernetes.io/hostname"
      containers:
      - name: webpod
        image: traefik/whoami
        ports:
        - containerPort: 80
---
apiVersion: v1
kind: Service
metadata:
  name: webpod
  labels:
    app: webpod
spec:
  selector:
    app: webpod
  ports:
  - port: 80
    targetPort: 80
  type: ClusterIP
"""

CLIENT = """\
apiVersion: v1
kind: Pod
metadata:
  name: curl-pod
spec:
  nodeName: k8s-ctr
  containers:
  - name: curl
    image: nicolaka/netshoot
    command: ["tail", "-f", "/dev/null"]
  terminationGracePeriodSeconds: 0
"""

BGP_RESOURCES = """\
apiVersion: cilium.io/v2
kind: CiliumBGPAdvertisement
metadata:
  name: bgp-advertisements
  labels:
    advertise: bgp
spec:
  advertisements:
    - advertisementType: "PodCIDR"
---
apiVersion: cilium.io/v2
kind: CiliumBGPPeerConfig
metadata:
  name: cilium-peer
spec:
  timers:
    holdTimeSeconds: 9
    keepAliveTimeSeconds: 3
  ebgpMultihop: 2
  gracefulRestart:
    enabled: true
    restartTimeSeconds: 15
  families:
    - afi: ipv4
      safi: unicast
      advertisements:
        matchLabels:
          advertise: "bgp"
---
apiVersion: cilium.io/v2
kind: CiliumBGPClusterConfig
metadata:
  name: cilium-bgp
spec:
  nodeSelector:
    matchLabels:
      "enable-bgp": "true"
  bgpInstances:
  - name: "instance-65001"
    localASN: 65001
    peers:
    - name: "tor-switch"
      peerASN: 65000
      peerAddress: 192.168.10.200
      peerConfigRef:
        name: "cilium-peer"
"""

POOL = """\
apiVersion: "cilium.io/v2"
kind: CiliumLoadBalancerIPPool
metadata:
  name: "cilium-pool"
spec:
  allowFirstLastIPs: "No"
  blocks:
  - cidr: "172.16.1.0/24"
"""

SERVICE_ADVERTISEMENT = """\
apiVersion: cilium.io/v2
kind: CiliumBGPAdvertisement
metadata:
  name: bgp-advertisements-lb-exip-webpod
  labels:
    advertise: bgp
spec:
  advertisements:
    - advertisementType: "Service"
      service:
        addresses:
          - LoadBalancerIP
      selector:
        matchExpressions:
          - { key: app, operator: In, values: [ webpod ] }
"""


def as_printed(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def test_the_sample_application_is_the_guides() -> None:
    assert manifests.sample_app(GUIDE.cluster) == as_printed(SAMPLE_APP) + as_printed(CLIENT)


def test_the_bgp_resources_are_the_guides() -> None:
    assert manifests.bgp_resources(GUIDE) == as_printed(BGP_RESOURCES)


def test_the_pool_is_the_guides() -> None:
    assert manifests.lb_pool(GUIDE.cluster) == as_printed(POOL)


def test_the_service_advertisement_is_the_guides() -> None:
    assert manifests.service_advertisement(GUIDE.cluster) == as_printed(SERVICE_ADVERTISEMENT)


def test_the_steps_hold_all_of_the_guide_in_its_order() -> None:
    rendered = manifests.by_step(GUIDE, GUIDE.cluster)
    printed = as_printed("\n---\n".join([SAMPLE_APP, CLIENT, BGP_RESOURCES, POOL, SERVICE_ADVERTISEMENT]))
    assert list(rendered) == ["G03", "G11", "G18", "G21"]
    assert [manifest for step in rendered.values() for manifest in step] == printed


@pytest.mark.parametrize(
    ("version", "api"),
    [("1.16.0", "v2alpha1"), ("1.17.6", "v2alpha1"), ("1.18", "v2"), ("1.18.1", "v2"), ("1.20", "v2")],
)
def test_the_api_version_follows_the_cilium_version(version: str, api: str) -> None:
    spec = load_lab("guide", {"clusters[0].cilium_version": repr(version)})
    rendered = [*manifests.bgp_resources(spec), *manifests.lb_pool(spec.cluster)]
    assert {manifest["apiVersion"] for manifest in rendered} == {f"cilium.io/{api}"}


def test_with_two_routers_there_are_two_peers() -> None:
    spec = load_lab("two-routers")
    (instance,) = manifests.bgp_resources(spec)[2]["spec"]["bgpInstances"]
    assert [(peer["name"], peer["peerASN"], peer["peerAddress"]) for peer in instance["peers"]] == [
        ("tor-a", 65000, "192.168.10.200"),
        ("tor-b", 65010, "192.168.10.201"),
    ]


def test_a_namespace_of_its_own_comes_first_and_is_named_everywhere() -> None:
    spec = load_lab("guide", {"clusters[0].app.namespace": "shop"})
    namespace, *objects = manifests.sample_app(spec.cluster)
    assert namespace["metadata"] == {"name": "shop"}
    assert {manifest["metadata"]["namespace"] for manifest in objects} == {"shop"}


def test_the_server_is_told_a_port_that_is_not_its_own() -> None:
    spec = load_lab("guide", {"clusters[0].app.port": "8080"})
    deployment, service, _ = manifests.sample_app(spec.cluster)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "WHOAMI_PORT_NUMBER", "value": "8080"}]
    assert container["ports"] == [{"containerPort": 8080}] and service["spec"]["ports"][0]["targetPort"] == 8080


def test_pods_keep_off_nodes_without_bgp() -> None:
    spec = load_lab("guide", {"clusters[0].nodes[1].bgp": "false"})
    affinity = manifests.sample_app(spec.cluster)[0]["spec"]["template"]["spec"]["affinity"]
    (term,) = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": ["k8s-ctr", "k8s-w0"]}
    ]


def test_only_a_connect_retry_of_its_own_is_written() -> None:
    spec = load_lab("guide", {"clusters[0].bgp.timers.connect_retry_seconds": "5"})
    assert manifests.bgp_resources(spec)[1]["spec"]["timers"] == {
        "holdTimeSeconds": 9,
        "keepAliveTimeSeconds": 3,
        "connectRetryTimeSeconds": 5,
    }


def test_a_users_manifests_are_applied_with_the_sample_application(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}")
    text = shipped_labs()["guide"].read_text().replace("    pool:\n", "    workloads: [app.yaml]\n    pool:\n")
    spec = parse_lab(text, "lab.yaml", folder=tmp_path)
    assert manifests.by_step(spec, spec.cluster)["G03"][-1]["metadata"] == {"name": "mine"}


def test_rendered_yaml_reads_back_the_same_and_uses_no_aliases() -> None:
    everything = [manifest for step in manifests.by_step(GUIDE, GUIDE.cluster).values() for manifest in step]
    text = manifests.render_yaml(everything)
    assert as_printed(text) == everything
    assert "&id" not in text
