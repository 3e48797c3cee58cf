"""What a pod's containers find in /etc/hosts."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.backends.embedded.agents.kubelet.kubelet import _hosts_file

ADDRESS = IPv4Address("10.0.1.5")


def a_pod(**spec):
    metadata = {"name": "etcd-0", "namespace": "kube-system", "uid": "u-1"}
    return {"metadata": metadata, "spec": {"nodeName": "west-worker", **spec}}


def test_host_aliases_stand_in_the_pods_hosts_file():
    pod = a_pod(hostAliases=[{"ip": "172.18.0.5", "hostnames": ["east.mesh.cilium.io", "east"]}])
    assert _hosts_file(pod, ADDRESS).splitlines() == [
        "127.0.0.1\tlocalhost",
        "10.0.1.5\tetcd-0",
        "172.18.0.5\teast.mesh.cilium.io east",
    ]
