"""What flows take beyond what all of them do. Without Prefect: what was typed is judged before a server is started."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from bgplab.errors import InputError, Problem

Event = Literal[
    "pod-scaled-away",
    "agent-killed",
    "agents-restarted",
    "link-down",
    "session-shut",
    "label-removed",
    "route-withdrawn",
]
EVERY_EVENT: tuple[Event, ...] = Event.__args__  # type: ignore[attr-defined]

Rate = Annotated[float, Field(gt=0, le=1000)]
WatchedSeconds = Annotated[float, Field(ge=0.5, le=600)]
RequestSeconds = Annotated[float, Field(gt=0, le=60)]
PatienceSeconds = Annotated[float, Field(ge=0, le=600)] | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A parameter of one flow. kind: its annotation there. values: in words, with one example, as it is typed."""

    kind: Any
    values: str
    example: str


#: By flow. Flows annotate with the same names; a test holds their signatures to this table.
OWN: Mapping[str, Mapping[str, Taken]] = {
    "bgp-lab": {},
    "cluster-mesh": {},
    "failover": {
        "events": Taken(list[Event], f"a list of {', '.join(EVERY_EVENT)}", 'events=["link-down"]'),
        "node": Taken(str | None, "the name of a node with BGP", "node=k8s-w0"),
        "rate": Taken(Rate, "connections per second, more than 0, at most 1000", "rate=50"),
        "before_seconds": Taken(WatchedSeconds, "0.5 to 600", "before_seconds=2"),
        "after_seconds": Taken(WatchedSeconds, "0.5 to 600", "after_seconds=2"),
        "request_seconds": Taken(RequestSeconds, "more than 0, at most 60", "request_seconds=1"),
        "dial_patience_seconds": Taken(PatienceSeconds, "0 to 600, or null", "dial_patience_seconds=null"),
    },
}


def refuse_unfit_parameters(flow: str, parameters: Mapping[str, Any]) -> None:
    """Raises InputError with every parameter that is none of the flow's own, and every value that it does not take."""
    own = OWN[flow]
    problems = [_problem(flow, own, name, value) for name, value in parameters.items()]
    if found := [problem for problem in problems if problem]:
        raise InputError(problems=found)


def _problem(flow: str, own: Mapping[str, Taken], name: str, value: Any) -> Problem | None:
    if name not in own:
        why = "what all flows take has an option of its own: --lab, --name, --until, --keep, --set, --backend"
        do = f"name one of {', '.join(own)}" if own else "leave it out: this flow has none of its own"
        return Problem(f"--parameter {name}", f"flow {flow} has no parameter {name} of its own", why, do)
    taken = own[name]
    try:
        TypeAdapter(taken.kind).validate_python(value)
    except ValidationError as fault:
        why = "; ".join(dict.fromkeys(each["msg"].lower() for each in fault.errors(include_url=False)))
        what = f"flow {flow} takes no {name} of {json.dumps(value)}"
        return Problem(f"--parameter {name}", what, why, f"give {taken.values}: --parameter '{taken.example}'")
    return None


def overrides_as_yaml(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Overrides as descriptions take them: text is YAML already, and the JSON of anything else is YAML, too."""
    return {field: value if isinstance(value, str) else json.dumps(value) for field, value in overrides.items()}
