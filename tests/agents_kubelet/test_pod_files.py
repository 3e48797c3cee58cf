"""What a pod's containers find in their environment and in /etc/hosts."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.backends.embedded.agents.kubelet.kubelet import _environment, _hosts_file

ADDRESS = IPv4Address("10.0.1.5")


def a_pod(**spec):
    metadata = {"name": "etcd-0", "namespace": "kube-system", "uid": "u-1"}
    return {"metadata": metadata, "spec": {"nodeName": "west-worker", **spec}}


def field(name: str, path: str):
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_variables_may_be_literal_or_name_a_field_of_the_pod():
    env = [
        {"name": "API", "value": "3"},
        field("ADDRESS", "status.podIP"),
        field("NODE", "spec.nodeName"),
        field("TOKEN", "metadata.uid"),
        field("NAMESPACE", "metadata.namespace"),
    ]
    assert _environment(a_pod(), {"env": env}, ADDRESS) == {
        "HOSTNAME": "etcd-0",
        "API": "3",
        "ADDRESS": "10.0.1.5",
        "NODE": "west-worker",
        "TOKEN": "u-1",
        "NAMESPACE": "kube-system",
    }


def test_a_variable_that_names_another_object_is_left_out():
    env = [{"name": "ID", "valueFrom": {"configMapKeyRef": {"name": "cilium-config", "key": "cluster-id"}}}]
    assert _environment(a_pod(), {"env": env}, ADDRESS) == {"HOSTNAME": "etcd-0"}


def test_host_aliases_stand_in_the_pods_hosts_file():
    pod = a_pod(hostAliases=[{"ip": "172.18.0.5", "hostnames": ["east.mesh.cilium.io", "east"]}])
    assert _hosts_file(pod, ADDRESS).splitlines() == [
        "127.0.0.1\tlocalhost",
        "10.0.1.5\tetcd-0",
        "172.18.0.5\teast.mesh.cilium.io east",
    ]
