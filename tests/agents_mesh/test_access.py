"""Where remote clusters are, from an agent's files and aliases: as bgplab/spec/cilium_install writes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bgplab.backends.embedded.agents.kubelet.volumes import mounted
from bgplab.backends.embedded.agents.mesh.access import accesses
from bgplab.backends.embedded.agents.mesh.mutual_tls import client_context
from bgplab.backends.embedded.agents.mesh.node_agents import DIRECTORY
from bgplab.lab.cluster import Kind, Manifest
from bgplab.spec import cilium_install
from bgplab.spec.loading import load_lab
from bgplab.spec.mesh_certificates import make_authority, sign_client

NOW = datetime.now(UTC)


def agent_files(remotes: list[cilium_install.Remote], own_certificate: bool = True) -> tuple[dict[str, str], list]:
    """The files in an agent's pod after `connect`, and its aliases."""
    west = load_lab("mesh").clusters[0]
    secrets = {cilium_install.CLUSTERMESH_SECRET: cilium_install.clustermesh_secret(remotes)}
    if own_certificate:
        for secret in cilium_install.certificates(west, make_authority(NOW), NOW):
            secrets[secret["metadata"]["name"]] = secret
    pod = cilium_install.agents(west, remotes)["spec"]["template"]

    def read(kind: Kind, name: str) -> Manifest | None:
        return secrets.get(name)

    files = {path.removeprefix(DIRECTORY): text for path, text in mounted(pod, read).files.items()}
    return files, pod["spec"]["hostAliases"]


def east() -> cilium_install.Remote:
    return cilium_install.remote_of(load_lab("mesh").clusters[1])


def test_a_connected_cluster_is_reached_by_alias_port_and_the_common_certificate() -> None:
    access = accesses(*agent_files([east()]))["east"]
    where = (access.server_name, access.address, access.port, access.fault)
    assert where == ("east.mesh.cilium.io", "172.18.0.5", 32380, "")
    assert access.identity is not None
    client_context(access.identity)


def test_a_cluster_with_another_ca_has_a_certificate_of_its_own() -> None:
    authority = make_authority(NOW)
    own = replace(east(), certified=sign_client(authority, "remote", NOW), authority=authority.certificate)
    access = accesses(*agent_files([own]))
    assert list(access) == ["east"]
    assert access["east"].identity is not None
    assert access["east"].identity.ca == authority.certificate


def test_a_missing_certificate_is_the_fault_that_the_status_shows() -> None:
    access = accesses(*agent_files([east()], own_certificate=False))["east"]
    assert access.fault == "open /var/lib/cilium/clustermesh/common-etcd-client-ca.crt: no such file or directory"


def test_a_name_without_an_alias_has_no_address() -> None:
    files, _ = agent_files([east()])
    assert accesses(files, [])["east"].address == ""


def test_a_file_that_is_no_configuration_is_a_fault() -> None:
    assert accesses({"east": "nothing"}, [])["east"].fault.startswith("unable to read the etcd configuration")
