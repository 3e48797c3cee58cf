"""Commands for people name the namespace where kubectl would look into another."""

from __future__ import annotations

import shlex

import pytest

from bgplab.spec.model import App
from bgplab.spec.typed import in_namespace, typed_for


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("kubectl get pod -o wide", "kubectl -n shop get pod -o wide"),
        ("kubectl exec me -- curl -s web; echo $?", "kubectl -n shop exec me -- curl -s web; echo $?"),
        ("kubectl --context west exec me -- curl web", "kubectl -n shop --context west exec me -- curl web"),
        ("kubectl scale deployment web --replicas", "kubectl -n shop scale deployment web --replicas"),
        ("kubectl get endpointslices -l a=b", "kubectl -n shop get endpointslices -l a=b"),
        ("kubectl exec -n kube-system ds/cilium -- cilium-dbg", "kubectl exec -n kube-system ds/cilium -- cilium-dbg"),
        ("kubectl get node -o wide", "kubectl get node -o wide"),
        ("kubectl get ippool", "kubectl get ippool"),
        ("ssh router ip route", "ssh router ip route"),
    ],
)
def test_a_command_about_the_application_names_its_namespace(command: str, typed: str) -> None:
    assert in_namespace(command, "shop") == typed
    assert in_namespace(command, "default") == command


def test_curl_is_told_a_port_that_is_not_its_own() -> None:
    asked = "kubectl exec me -- curl -s --connect-timeout 1 web | grep Hostname; echo $?"
    assert typed_for(App(port=8080), asked) == asked.replace(" web ", " web:8080 ")
    assert typed_for(App(), asked) == asked
    assert typed_for(App(port=81), "ssh r 'curl -s 10.0.0.1'") == "ssh r 'curl -s 10.0.0.1:81'"


def test_what_a_hosts_shell_must_see_quoted_is_quoted_twice() -> None:
    typed = typed_for(App(), "ssh router sudo vtysh -c 'show ip bgp summary' -c 'show version'")
    assert shlex.split(typed) == ["ssh", "router", "sudo vtysh -c 'show ip bgp summary' -c 'show version'"]
    assert typed_for(App(), "ssh router ip route | grep bgp") == "ssh router ip route | grep bgp"
