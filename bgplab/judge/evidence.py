"""Evidence: observations as JSON-able values, and the raw words that hosts and clusters said."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from bgplab.errors import CommandFailed
from bgplab.lab.cluster import Cluster, Kind, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.shell import Completed, Running, Shell
from bgplab.traffic.records import Probe

LONGEST_TEXT = 20_000


def jsonable(value: Any) -> Any:
    """Frozen dataclasses, addresses, sets and enums as what JSON has. A prober's run is told by its counts."""
    if isinstance(value, Probe):
        return {
            "where": value.where,
            "command": value.command,
            "summary": jsonable(value.summary),
            "backends": dict(value.backends),
            "errors": dict(value.errors),
            "seen_addresses": dict(value.seen_addresses),
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: jsonable(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((jsonable(part) for part in value), key=str)
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT} characters more"


def without_secrets(manifest: Manifest) -> Manifest:
    """A Secret without its values but for public certificates (`*.crt`): evidence is shown and handed on."""
    if manifest.get("kind") != "Secret":
        return manifest
    data = manifest.get("data") or {}
    kept = {key: value if key.endswith(".crt") else "(left out)" for key, value in data.items()}
    return {key: value for key, value in manifest.items() if key != "stringData"} | {"data": kept}


class Recorder:
    """Collects what is said at the seams while one observation is made. Observations ask hosts side by side."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def entries(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._entries)

    def add(self, **entry: Any) -> None:
        with self._lock:
            self._entries.append(entry)

    def ran(self, where: str, done: Completed) -> Completed:
        self.add(
            where=where,
            argv=list(done.argv),
            exit_status=done.exit_status,
            stdout=shortened(done.stdout),
            stderr=shortened(done.stderr),
        )
        return done

    def lab(self, lab: Lab) -> Lab:
        """The same lab, with everything that is said written down."""
        return Lab(
            lab.name,
            {name: RecordedShell(shell, self) for name, shell in lab.hosts.items()},
            {name: RecordedCluster(cluster, self) for name, cluster in lab.clusters.items()},  # type: ignore[misc]
        )


class RecordedShell:
    """A Shell that writes down what its host says."""

    def __init__(self, shell: Shell, recorder: Recorder) -> None:
        self.name, self._shell, self._recorder = shell.name, shell, recorder

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 30.0, check: bool = True) -> Completed:
        done = self._recorder.ran(self.name, self._shell.run(argv, stdin=stdin, timeout=timeout, check=False))
        if check and done.exit_status != 0:
            raise CommandFailed(self.name, argv, done.exit_status, done.stdout, done.stderr)
        return done

    def start(self, argv: Sequence[str], *, stdin: str = "", on_line: Callable[[str], None] | None = None) -> Running:
        return self._shell.start(argv, stdin=stdin, on_line=on_line)

    def put(self, content: bytes, path: str, mode: int = 0o644) -> None:
        self._shell.put(content, path, mode)

    def read(self, path: str) -> bytes:
        content = self._shell.read(path)
        self._recorder.add(where=self.name, file=path, content=shortened(content.decode(errors="replace")))
        return content


class RecordedCluster:
    """A Cluster that writes down what is read from it. Observing needs nothing but get, list and exec."""

    def __init__(self, cluster: Cluster, recorder: Recorder) -> None:
        self.name, self._cluster, self._recorder = cluster.name, cluster, recorder

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        found = self._cluster.get(kind, name, namespace)
        self._recorder.add(where=self.name, get=kind.path(name, namespace), object=found and without_secrets(found))
        return found

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Manifest]:
        found = self._cluster.list(kind, namespace, labels=labels, fields=fields)
        items = [without_secrets(item) for item in found]
        self._recorder.add(where=self.name, list=kind.path(None, namespace), labels=labels, items=items)
        return found

    def exec(
        self,
        pod: str,
        argv: Sequence[str],
        *,
        namespace: str = "default",
        container: str | None = None,
        stdin: str = "",
        timeout: float = 30.0,
        check: bool = True,
    ) -> Completed:
        done = self._cluster.exec(
            pod, argv, namespace=namespace, container=container, stdin=stdin, timeout=timeout, check=False
        )
        self._recorder.ran(f"{namespace}/{pod}", done)
        if check and done.exit_status != 0:
            raise CommandFailed(f"{namespace}/{pod}", argv, done.exit_status, done.stdout, done.stderr)
        return done
