"""The `hubble` command as far as it is answered: arguments and flows in, text out. What it cannot do it refuses."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network
from typing import NoReturn, TypeVar

from bgplab.backends.embedded.agents.flows.flow import Flow, as_json, compact
from bgplab.backends.embedded.agents.flows.parties import Party

Alternative = TypeVar("Alternative")

DEFAULT_LAST = 20
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class UsageError(ValueError):
    """Arguments that the real command, or this one, does not take."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


@dataclass(frozen=True, slots=True)
class Request:
    """What `hubble observe` was asked for. Lists are alternatives; different filters must all hold."""

    output: str
    last: int | None
    since_seconds: float | None
    pods: tuple[str, ...]
    from_pods: tuple[str, ...]
    to_pods: tuple[str, ...]
    namespaces: tuple[str, ...]
    protocols: tuple[str, ...]
    verdicts: tuple[str, ...]
    ports: tuple[int, ...]
    from_ports: tuple[int, ...]
    to_ports: tuple[int, ...]
    from_addresses: tuple[str, ...]
    to_addresses: tuple[str, ...]
    types: tuple[str, ...]


def parse_observe(arguments: Sequence[str]) -> Request:
    """Arguments behind `hubble observe`. Raises UsageError."""
    given = _parser().parse_args(list(arguments))
    if given.follow:
        raise UsageError("--follow is not provided in the embedded lab; ask again for what came since")
    return Request(
        output=given.output,
        last=None if given.all or given.since is not None else given.last or DEFAULT_LAST,
        since_seconds=_duration(given.since) if given.since is not None else None,
        pods=tuple(given.pod),
        from_pods=tuple(given.from_pod),
        to_pods=tuple(given.to_pod),
        namespaces=tuple(given.namespace),
        protocols=tuple(protocol.lower() for protocol in given.protocol),
        verdicts=tuple(verdict.upper() for verdict in given.verdict),
        ports=tuple(given.port),
        from_ports=tuple(given.from_port),
        to_ports=tuple(given.to_port),
        from_addresses=tuple(given.from_ip),
        to_addresses=tuple(given.to_ip),
        types=tuple(given.type),
    )


def selected(flows: Iterable[Flow], request: Request, now: float) -> list[Flow]:
    """The flows that pass the request's filters, oldest first."""
    chosen = [flow for flow in flows if _passes(flow, request, now)]
    return chosen if request.last is None else chosen[-request.last :]


def render(flows: Iterable[Flow], output: str) -> str:
    if output in ("json", "jsonpb"):
        lines = [json.dumps(as_json(flow), separators=(",", ":")) for flow in flows]
    else:
        lines = [compact(flow) for flow in flows]
    return "".join(f"{line}\n" for line in lines)


def lost_as_json(count: int, node: str) -> str:
    """The line by which Hubble says that events are missing (GetFlowsResponse.lost_events); none when none are."""
    if not count:
        return ""
    lost = {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": str(count)}
    return json.dumps({"lost_events": lost, "node_name": node}, separators=(",", ":")) + "\n"


def _parser() -> _Parser:
    parser = _Parser(prog="hubble observe", add_help=False, allow_abbrev=False)
    parser.add_argument("-o", "--output", default="compact", choices=("compact", "json", "jsonpb"))
    parser.add_argument("--last", type=int)
    parser.add_argument("--since")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("-f", "--follow", action="store_true")
    for name in ("--pod", "--from-pod", "--to-pod", "--protocol", "--verdict", "--from-ip", "--to-ip"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("-n", "--namespace", action="append", default=[])
    parser.add_argument("-t", "--type", action="append", default=[], choices=("trace", "trace:to-endpoint"))
    for name in ("--port", "--from-port", "--to-port"):
        parser.add_argument(name, action="append", type=int, default=[])
    # How to reach the relay: here the node's own agent answers.
    parser.add_argument("-P", "--port-forward", action="store_true")
    parser.add_argument("--server")
    return parser


def _passes(flow: Flow, request: Request, now: float) -> bool:
    ends, ports = (flow.source, flow.destination), (flow.segment.source_port, flow.segment.destination_port)
    return (
        (request.since_seconds is None or flow.seconds >= now - request.since_seconds)
        and _any(request.pods, lambda pod: any(_is_pod(end, pod) for end in ends))
        and _any(request.from_pods, lambda pod: _is_pod(flow.source, pod))
        and _any(request.to_pods, lambda pod: _is_pod(flow.destination, pod))
        and _any(request.namespaces, lambda namespace: any(end.namespace == namespace for end in ends))
        and _any(request.protocols, lambda protocol: protocol in ("tcp", "ipv4"))
        and _any(request.verdicts, lambda verdict: verdict == "FORWARDED")
        and _any(request.ports, lambda port: port in ports)
        and _any(request.from_ports, lambda port: port == ports[0])
        and _any(request.to_ports, lambda port: port == ports[1])
        and _any(request.from_addresses, lambda network: flow.segment.source in _network(network))
        and _any(request.to_addresses, lambda network: flow.segment.destination in _network(network))
        and _any(request.types, lambda kind: kind in ("trace", f"trace:{flow.point[0]}"))
    )


def _any(alternatives: Iterable[Alternative], holds: Callable[[Alternative], bool]) -> bool:
    alternatives = tuple(alternatives)
    return not alternatives or any(holds(alternative) for alternative in alternatives)


def _is_pod(party: Party, wanted: str) -> bool:
    """`[namespace/]prefix`; without a namespace it is `default`, and `namespace/` is every pod in it."""
    namespace, slash, prefix = wanted.rpartition("/")
    return bool(party.pod) and party.namespace == (namespace if slash else "default") and party.pod.startswith(prefix)


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text, strict=False)
    except (AddressValueError, ValueError) as fault:
        raise UsageError(f"{text!r} is no address or network") from fault


def _duration(text: str) -> float:
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is no duration such as 30s or 1m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
