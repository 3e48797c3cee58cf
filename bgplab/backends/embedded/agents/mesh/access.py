"""How an agent reaches remote clusters: pure, from the files in its pod's /var/lib/cilium/clustermesh and its aliases.

A file per remote cluster, named as it, holds an etcd client's configuration in YAML, as etcd's clientv3 reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import yaml

from bgplab.backends.embedded.agents.mesh.mutual_tls import Identity

#: The cilium CLI's files of certificates lie beside the configurations.
CERTIFICATE_ENDINGS = (".crt", ".key")


@dataclass(frozen=True, slots=True)
class RemoteAccess:
    """One remote cluster's etcd. address: what its name means in the agent's /etc/hosts, "" when that has no such name.

    fault: why it cannot be used as it stands, "" when it can; then `identity` is there.
    """

    cluster: str
    server_name: str = ""
    address: str = ""
    port: int = 0
    identity: Identity | None = None
    fault: str = ""


def accesses(files: Mapping[str, str], aliases: Iterable[Mapping[str, Any]]) -> dict[str, RemoteAccess]:
    """Every remote cluster that the files name. aliases: `hostAliases` of the agent's pod."""
    addresses = {name: alias["ip"] for alias in aliases for name in alias.get("hostnames") or ()}
    return {
        name: _access(name, text, files, addresses)
        for name, text in sorted(files.items())
        if not name.endswith(CERTIFICATE_ENDINGS)
    }


def _access(cluster: str, text: str, files: Mapping[str, str], addresses: Mapping[str, str]) -> RemoteAccess:
    try:
        config = yaml.safe_load(text)
        endpoint = urlsplit(config["endpoints"][0])
        name, port = endpoint.hostname or "", endpoint.port or 2379
        pems = [_file(config, key, files) for key in ("trusted-ca-file", "cert-file", "key-file")]
    except (yaml.YAMLError, KeyError, TypeError, IndexError, ValueError) as fault:
        return RemoteAccess(cluster, fault=f"unable to read the etcd configuration: {fault}")
    except FileNotFoundError as fault:
        return RemoteAccess(cluster, name, _resolved(name, addresses), port, fault=str(fault))
    return RemoteAccess(cluster, name, _resolved(name, addresses), port, Identity(*pems))


def _resolved(name: str, addresses: Mapping[str, str]) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        return addresses.get(name, "")


def _file(config: Mapping[str, str], key: str, files: Mapping[str, str]) -> str:
    path = config[key]
    name = path.rpartition("/")[2]
    if name not in files:
        raise FileNotFoundError(f"open {path}: no such file or directory")
    return files[name]
