"""A container's variables: literals, fields of its pod, keys of other objects."""

from __future__ import annotations

import base64
from ipaddress import IPv4Address
from typing import Any

import pytest

from bgplab.backends.embedded.agents.kubelet.environment import ConfigNotReady, environment_of, referred
from bgplab.lab.cluster import CONFIG_MAP, SECRET, Kind, Manifest

ADDRESS, HOST = IPv4Address("10.0.1.5"), IPv4Address("192.168.10.101")
METADATA = {"name": "etcd-0", "namespace": "kube-system", "uid": "u-1", "labels": {"app": "etcd"}}
POD = {"metadata": METADATA, "spec": {"nodeName": "west-worker", "serviceAccountName": "default"}}
OBJECTS = {
    (CONFIG_MAP, "settings"): {"metadata": METADATA, "data": {"colour": "red", "size": "3"}},
    (SECRET, "key"): {"metadata": METADATA, "data": {"password": base64.b64encode(b"secret").decode()}},
}


def read(kind: Kind, name: str) -> Manifest | None:
    return OBJECTS.get((kind, name))


def found(**container: Any) -> dict[str, str]:
    environment = environment_of(POD, container, ADDRESS, HOST, referred(container, read))
    assert environment.pop("HOSTNAME") == "etcd-0"
    return environment


def field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def keyed(name: str, kind: str, of: str, key: str, **more: Any) -> Manifest:
    return {"name": name, "valueFrom": {kind: {"name": of, "key": key, **more}}}


def test_variables_may_be_literal_or_name_a_field_of_the_pod() -> None:
    env = [
        {"name": "API", "value": "3"},
        {"name": "EMPTY"},
        field("ADDRESS", "status.podIP"),
        field("HOST", "status.hostIP"),
        field("NODE", "spec.nodeName"),
        field("TOKEN", "metadata.uid"),
        field("APP", "metadata.labels['app']"),
    ]
    assert found(env=env) == {
        "API": "3",
        "EMPTY": "",
        "ADDRESS": "10.0.1.5",
        "HOST": "192.168.10.101",
        "NODE": "west-worker",
        "TOKEN": "u-1",
        "APP": "etcd",
    }


def test_variables_may_name_a_key_of_another_object() -> None:
    env = [keyed("C", "configMapKeyRef", "settings", "colour"), keyed("P", "secretKeyRef", "key", "password")]
    assert found(env=env) == {"C": "red", "P": "secret"}


def test_all_keys_of_an_object_come_with_a_prefix_and_give_way_to_single_ones() -> None:
    sources = [{"prefix": "S_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "key"}}]
    env = [{"name": "S_size", "value": "9"}]
    assert found(envFrom=sources, env=env) == {"S_colour": "red", "S_size": "9", "password": "secret"}


def test_a_literal_may_name_variables_that_stand_before_it() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)$$(A)"}, {"name": "C", "value": "2"}]
    assert found(env=env)["B"] == "1$(C)$(A)"


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (keyed("X", "configMapKeyRef", "none", "a"), 'configmap "none" not found'),
        (keyed("X", "secretKeyRef", "none", "a"), 'secret "none" not found'),
        (keyed("X", "secretKeyRef", "key", "a"), "couldn't find key a in Secret kube-system/key"),
    ],
)
def test_what_is_named_must_be_there(one: Manifest, said: str) -> None:
    with pytest.raises(ConfigNotReady, match=said):
        found(env=[one])


def test_what_is_optional_may_be_missing() -> None:
    env = [
        keyed("X", "configMapKeyRef", "none", "a", optional=True),
        keyed("Y", "secretKeyRef", "key", "a", optional=True),
    ]
    assert found(env=env, envFrom=[{"configMapRef": {"name": "none", "optional": True}}]) == {}
