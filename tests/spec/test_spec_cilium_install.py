"""What installing, enabling and connecting put into a cluster."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
import yaml

from bgplab.observe.mesh_install import image_version
from bgplab.spec import cilium_install as cilium
from bgplab.spec.loading import load_lab
from bgplab.spec.mesh_certificates import decoded, is_signed_by, make_authority, sign_client
from bgplab.traffic.mesh_deviations import deviations_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MESH, THREE = load_lab("mesh"), load_lab("three-clusters")
WEST, EAST = MESH.clusters


@pytest.fixture(scope="module")
def authority():
    return make_authority(NOW)


def named(manifests, kind: str, name: str):
    (found,) = [each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def release_of(secret):
    return json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))


def test_the_configuration_says_who_the_cluster_is_and_what_it_masquerades(authority) -> None:
    made = cilium.install(MESH, EAST, authority, NOW)
    config = named(made, "ConfigMap", "cilium-config")["data"]
    expected = {"cluster-name": "east", "cluster-id": "2", "ipv4-native-routing-cidr": "10.1.0.0/16"}
    assert expected.items() <= config.items()
    assert all(isinstance(value, str) for value in config.values())
    masquerade = json.loads(named(made, "ConfigMap", "ip-masq-agent")["data"]["config"])
    assert masquerade == {"nonMasqueradeCIDRs": ["10.0.0.0/16"]}


def test_in_a_mesh_of_three_no_other_clusters_pods_are_masqueraded() -> None:
    made = json.loads(cilium.ip_masq_agent(THREE, THREE.clusters[1])["data"]["config"])
    assert made == {"nonMasqueradeCIDRs": ["10.0.0.0/16", "10.4.0.0/16"]}


def test_the_agents_are_of_the_described_version_and_go_everywhere() -> None:
    pod = cilium.agents(WEST)["spec"]["template"]["spec"]
    assert [container["image"] for container in pod["containers"]] == ["quay.io/cilium/cilium:v1.17.6"]
    assert pod["hostNetwork"] and pod["tolerations"] == [{"operator": "Exists"}]
    assert "hostAliases" not in pod


def test_all_three_certificates_are_of_the_clusters_authority(authority) -> None:
    made = cilium.enable(MESH, WEST, authority, NOW)
    for use in ("server", "admin", "remote"):
        data = named(made, "Secret", f"clustermesh-apiserver-{use}-cert")["data"]
        assert decoded(data["ca.crt"]) == authority.certificate
        assert is_signed_by(decoded(data["tls.crt"]), authority.certificate)


def test_the_etcd_is_reached_by_the_described_node_port_and_tolerates_no_taint(authority) -> None:
    made = cilium.enable(MESH, EAST, authority, NOW)
    service = named(made, "Service", "clustermesh-apiserver")["spec"]
    assert service["type"] == "NodePort"
    assert [(port["port"], port["nodePort"]) for port in service["ports"]] == [(2379, 32380)]
    deployment = named(made, "Deployment", "clustermesh-apiserver")["spec"]["template"]
    assert service["selector"].items() <= deployment["metadata"]["labels"].items()
    assert "tolerations" not in deployment["spec"]


def test_every_volume_mounted_is_there_and_every_secret_mounted_is_made(authority) -> None:
    made = cilium.enable(MESH, EAST, authority, NOW)
    pod = named(made, "Deployment", "clustermesh-apiserver")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = [mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]]
    assert sorted(mounts) == sorted(volumes)
    secrets = {each["metadata"]["name"] for each in made if each["kind"] == "Secret"}
    sources = [source for volume in volumes.values() for source in volume.get("projected", {}).get("sources", ())]
    assert len(sources) == 2
    assert {source["secret"]["name"] for source in sources} <= secrets


def test_a_connection_leads_to_the_first_node_by_name_and_the_remote_node_port() -> None:
    assert cilium.remote_of(EAST) == cilium.Remote("east", IPv4Address("172.18.0.5"), 32380)
    assert [remote.cluster for remote in cilium.remotes_of(THREE, THREE.clusters[0])] == ["east", "north"]


def test_the_connection_secret_is_an_etcd_clients_configuration_per_remote_cluster() -> None:
    secret = cilium.clustermesh_secret(cilium.remotes_of(THREE, THREE.clusters[2]))
    assert list(secret["data"]) == ["west", "east"]
    assert yaml.safe_load(decoded(secret["data"]["east"])) == {
        "endpoints": ["https://east.mesh.cilium.io:32380"],
        "trusted-ca-file": "/var/lib/cilium/clustermesh/common-etcd-client-ca.crt",
        "key-file": "/var/lib/cilium/clustermesh/common-etcd-client.key",
        "cert-file": "/var/lib/cilium/clustermesh/common-etcd-client.crt",
    }


def test_a_remote_of_another_authority_brings_its_own_certificate(authority) -> None:
    own = sign_client(authority, "remote", NOW)
    remote = cilium.Remote("east", IPv4Address("172.18.0.5"), 32380, own, authority.certificate)
    data = {key: decoded(value) for key, value in cilium.clustermesh_secret([remote])["data"].items()}
    assert yaml.safe_load(data.pop("east"))["cert-file"] == "/var/lib/cilium/clustermesh/east.etcd-client.crt"
    assert data == {
        "east.etcd-client-ca.crt": authority.certificate,
        "east.etcd-client.key": own.key,
        "east.etcd-client.crt": own.certificate,
    }


def test_connecting_changes_the_agents_template_and_nothing_else_about_them() -> None:
    before, after = cilium.agents(WEST), cilium.agents(WEST, [cilium.remote_of(EAST)])
    aliases = after["spec"]["template"]["spec"].pop("hostAliases")
    assert aliases == [{"ip": "172.18.0.5", "hostnames": ["east.mesh.cilium.io"]}]
    assert after == before


def test_names_at_one_address_share_an_alias() -> None:
    remotes = [cilium.Remote(name, IPv4Address("172.18.0.9"), 32379) for name in ("one", "two")]
    assert cilium.host_aliases(remotes) == [
        {"ip": "172.18.0.9", "hostnames": ["one.mesh.cilium.io", "two.mesh.cilium.io"]}
    ]


def test_helm_records_a_revision_per_upgrade_and_the_last_is_deployed(authority) -> None:
    made = cilium.connect(MESH, WEST, cilium.remotes_of(MESH, WEST), NOW)
    releases = [each for each in made if each.get("type") == "helm.sh/release.v1"]
    assert [each["metadata"]["labels"]["status"] for each in releases] == ["superseded", "superseded", "deployed"]
    last = release_of(releases[-1])
    assert (last["name"], last["version"], last["chart"]["metadata"]["version"]) == ("cilium", 3, "1.17.6")
    assert last["config"]["clustermesh"]["config"]["clusters"] == [
        {"name": "east", "ips": ["172.18.0.5"], "port": 32380}
    ]
    assert last["config"]["clustermesh"]["useAPIServer"] is True


def test_the_same_input_gives_the_same_manifests(authority) -> None:
    assert cilium.install(MESH, WEST, authority, NOW) == cilium.install(MESH, WEST, authority, NOW)


def test_a_version_without_a_patch_number_is_installed_as_its_newest_patch() -> None:
    """`v1.18.0` in its place would be a release of its own, whose global Services are known to be broken."""
    bare = load_lab("mesh", {"clusters[0].cilium_version": "'1.18'"}).clusters[0]
    installed = image_version(cilium.agents(bare))
    assert installed == "1.18"
    assert not any(deviation.breaks for deviation in deviations_of(installed))
