"""Files by which people and programs reach a lab: kubeconfig, ssh_config, known_hosts. All 0600."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def kubeconfig(directory: Path, token: str, servers: dict[str, str]) -> str:
    """One context, with a cluster and a user of its own, per entry of `servers` (context → address). JSON, so YAML."""
    authority = base64.b64encode((directory / "ca.crt").read_bytes()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": next(iter(servers)),
            "clusters": [
                {"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}
                for name, server in servers.items()
            ],
            "users": [{"name": f"{name}-admin", "user": {"token": token}} for name in servers],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": f"{name}-admin", "namespace": "default"}}
                for name in servers
            ],
        },
        indent=1,
    )


def ssh_config(directory: Path, ports: dict[str, int]) -> str:
    """An entry per host, with the lab's key and strict host keys; nothing of the user's own set-up is touched."""
    entries = [
        f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {name}\n" for name, port in ports.items()
    ]
    common = (
        "Host *\n"
        "  User root\n"
        f"  IdentityFile {_quoted(directory / 'ssh_key')}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {_quoted(directory / 'known_hosts')}\n"
        "  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking yes\n"
        "  LogLevel ERROR\n"
    )
    return "".join(entries) + common


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)


def known_hosts(directory: Path, ports: dict[str, int]) -> str:
    """Under each host's name (OpenSSH, by HostKeyAlias) and its address and port (paramiko knows no alias)."""
    key = (directory / "ssh_host_key.pub").read_text().strip()
    return "".join(f"{name},[127.0.0.1]:{port} {key}\n" for name, port in ports.items())
