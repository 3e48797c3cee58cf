"""What a pod's containers find mounted."""

from __future__ import annotations

import base64

import pytest

from bgplab.backends.embedded.agents.kubelet.volumes import VolumeNotReady, mounted
from bgplab.lab.cluster import CONFIG_MAP, SECRET


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


OBJECTS = {
    (SECRET, "keys"): {"data": {"tls.crt": encoded("certificate"), "tls.key": encoded("key")}},
    (CONFIG_MAP, "settings"): {"data": {"mode": "native"}},
}


def read(kind, name):
    return OBJECTS.get((kind, name))


def a_pod(*volumes, **mounts):
    """mounts: volume name → mount path, in one container."""
    container = {"name": "one", "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()]}
    return {"spec": {"containers": [container], "volumes": list(volumes)}}


def test_a_secrets_keys_are_files_with_what_they_encode():
    pod = a_pod({"name": "v", "secret": {"secretName": "keys"}}, v="/etc/keys/")
    assert mounted(pod, read).files == {"/etc/keys/tls.crt": "certificate", "/etc/keys/tls.key": "key"}


def test_a_config_maps_keys_are_files_as_they_are():
    pod = a_pod({"name": "v", "configMap": {"name": "settings"}}, v="/etc/settings")
    assert mounted(pod, read).files == {"/etc/settings/mode": "native"}


def test_a_projection_joins_its_sources_under_their_new_names():
    sources = [
        {"secret": {"name": "keys", "items": [{"key": "tls.crt", "path": "client.crt"}]}},
        {"configMap": {"name": "settings"}},
    ]
    pod = a_pod({"name": "v", "projected": {"sources": sources}}, v="/var/lib/both")
    assert mounted(pod, read).files == {"/var/lib/both/client.crt": "certificate", "/var/lib/both/mode": "native"}


def test_an_optional_source_may_be_missing():
    sources = [{"secret": {"name": "none", "optional": True}}, {"configMap": {"name": "settings"}}]
    pod = a_pod({"name": "v", "projected": {"sources": sources}}, v="/both")
    assert mounted(pod, read).files == {"/both/mode": "native"}


def test_a_missing_secret_is_named_with_its_volume():
    pod = a_pod({"name": "certs", "secret": {"secretName": "none"}}, certs="/certs")
    with pytest.raises(VolumeNotReady, match=r'volume "certs" : secret "none" not found'):
        mounted(pod, read)


def test_a_missing_key_is_named():
    source = {"secretName": "keys", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    with pytest.raises(VolumeNotReady, match=r"non-existent secret key: ca\.crt"):
        mounted(a_pod({"name": "v", "secret": source}, v="/certs"), read)


def test_an_empty_directory_has_no_files_and_a_volume_nobody_mounts_is_not_looked_at():
    pod = a_pod({"name": "data", "emptyDir": {}}, {"name": "v", "secret": {"secretName": "none"}}, data="/data")
    seen = mounted(pod, read)
    assert (seen.files, seen.directories) == ({}, ["/data"])
