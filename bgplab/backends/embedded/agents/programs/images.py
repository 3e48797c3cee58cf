"""Which program stands for which image. The lab pulls nothing: an image that is not here ends in ErrImagePull."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

#: Where FILES is to be seen inside pods, read-only.
FILES_IN_POD = "/opt/bgp-lab"
FILES = Path(__file__).parent / "files"

_PYTHON = ("/usr/bin/python3", "-I", "-S")  # -S: no site-packages, which halves the time to start

_REFERENCE = re.compile(
    r"(?:(?P<registry>(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::\d+)?|[a-zA-Z0-9-]+:\d+|localhost)/)?"
    r"(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@sha256:[0-9a-f]{64})?"
)
_VARIABLE = re.compile(r"\$(\$)?\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True, slots=True)
class Program:
    """What runs in place of an image.

    entrypoint, command: the image's own (ENTRYPOINT and CMD of a Dockerfile). stands_for: paths of the image's that a
    manifest may name, and what is run for them. runs: False when nothing runs and the node's agent answers instead.
    by_agents: commands for which alone that is so.
    """

    image: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    stands_for: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    runs: bool = True
    by_agents: frozenset[str] = frozenset()

    def argv(self, container: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> list[str] | None:
        """What to start for a container of a pod, None for nothing. `$(NAME)` is replaced as kubelet does it.

        environment: what NAME may be; the container's own literal variables when absent.
        """
        if not self.runs:
            return None
        known = _literals(container) if environment is None else environment
        command = [expanded(word, known) for word in container.get("command") or ()]
        arguments = [expanded(word, known) for word in container.get("args") or ()]
        words = command or list(self.entrypoint)
        words += arguments if arguments or command else self.command
        if words and words[0] in self.by_agents:
            return None
        return [*self.stands_for.get(words[0], (words[0],)), *words[1:]] if words else []


_WHOAMI = (*_PYTHON, f"{FILES_IN_POD}/whoami.py")

_PROGRAMS = {
    program.image: program
    for program in (
        Program("docker.io/traefik/whoami", entrypoint=("/whoami",), stands_for=MappingProxyType({"/whoami": _WHOAMI})),
        # The pod's userland is real: what the image is used for here (curl, dig, ping, tcpdump) is in it.
        Program("docker.io/nicolaka/netshoot", command=("zsh",), stands_for=MappingProxyType({"zsh": ("/bin/bash",)})),
        # Its etcd is real; what fills it is agents/mesh/exporter.py.
        Program(
            "quay.io/cilium/clustermesh-apiserver",
            entrypoint=("/usr/bin/clustermesh-apiserver",),
            by_agents=frozenset({"/usr/bin/clustermesh-apiserver"}),
        ),
        *(
            Program(image, runs=False)
            for image in (
                "quay.io/cilium/cilium",
                "quay.io/cilium/operator",
                "quay.io/cilium/operator-generic",
                "registry.k8s.io/coredns/coredns",
            )
        ),
    )
}


def resolve(image: str) -> Program | None:
    """The program of an image, whatever its tag; None when the lab has none, or when it is no image's name."""
    name = normalised(image)
    return _PROGRAMS.get(name) if name else None


def normalised(image: str) -> str | None:
    """`traefik/whoami:v1.11` → `docker.io/traefik/whoami`; None when it is no image's name (InvalidImageName)."""
    matched = _REFERENCE.fullmatch(image)
    if matched is None:
        return None
    host, path = matched["registry"] or "docker.io", matched["path"]
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = "docker.io"
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}"


def known_images() -> Sequence[str]:
    """For messages and documentation."""
    return sorted(_PROGRAMS)


def _literals(container: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container.get("env") or () if "value" in one}


def expanded(word: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` by its value when there is one, left as it is when not; `$$(NAME)` is a literal `$(NAME)`."""

    def value(matched: re.Match[str]) -> str:
        if matched[1]:
            return f"$({matched[2]})"
        return known.get(matched[2], matched[0])

    return _VARIABLE.sub(value, word)
