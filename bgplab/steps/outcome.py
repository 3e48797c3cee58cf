"""What a step says when it is done, and the commands a person would have typed for the same."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.spec.manifests import render_yaml
from bgplab.spec.model import LabSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """outcome: `changed`, or `already` when the world was as it should be and nothing was done. what: a sentence.

    commands: what a person would type. propagation_seconds: how long a change took to reach the routers' kernels, where
    the step measured it. evidence: observations that only this step could make, for the judge's context.
    """

    outcome: Literal["changed", "already"]
    what: str
    commands: tuple[str, ...] = ()
    propagation_seconds: float | None = None
    evidence: tuple[object, ...] = ()

    @classmethod
    def already(cls, what: str, commands: Sequence[str] = ()) -> Outcome:
        return cls("already", what, tuple(commands))

    @classmethod
    def changed(
        cls,
        what: str,
        commands: Sequence[str] = (),
        *,
        propagation_seconds: float | None = None,
        evidence: Sequence[object] = (),
    ) -> Outcome:
        return cls("changed", what, tuple(commands), propagation_seconds, tuple(evidence))


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the guide that changes something. plan: the commands, without a lab. do: raises DeadlineExceeded."""

    id: str
    title: str
    plan: Callable[[LabSpec], list[str]]
    do: Callable[[Lab, LabSpec, Deadline], Outcome]


def on_host(host: str, argv: Sequence[str]) -> str:
    """A command on a host as a person types it: `ssh router "sudo vtysh …"`."""
    return shlex.join(["ssh", host, shlex.join(["sudo", *argv])])


def kubectl_apply(manifests: Iterable[dict[str, Any]]) -> str:
    return f"kubectl apply -f - <<'EOF'\n{render_yaml(manifests)}EOF"
