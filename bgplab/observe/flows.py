"""`hubble observe -o json` in a cilium pod: flow records (shape: facts/clustermesh-and-cli.md 7.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bgplab.lab.cluster import Cluster
from bgplab.observe.cilium_agents import ask_agents


@dataclass(frozen=True, slots=True)
class Flow:
    """One record. source and destination: pod names (empty for what is no pod). flags: TCP flags that were set.

    The ports tell connections apart; 0 where a record has none.
    """

    source: str
    destination: str
    verdict: str
    flags: frozenset[str]
    source_port: int = 0
    destination_port: int = 0


@dataclass(frozen=True, slots=True)
class FlowRecords:
    """lost: events that the node saw and did not keep (Hubble's `lost_events`), since it started; lost_before: at the
    look before this one."""

    flows: tuple[Flow, ...]
    lost: int = 0
    lost_before: int = 0


def read_flows(cluster: Cluster, node: str, pod: str, namespace: str, last: int = 2000) -> FlowRecords:
    """The last records of a pod's TCP traffic, as its node saw them."""
    argv = ["hubble", "observe", "--protocol", "tcp", "--pod", f"{namespace}/{pod}", "--last", str(last), "-o", "json"]
    return parse_flows("".join(ask_agents(cluster, argv, [node]).values()))


def parse_flows(text: str) -> FlowRecords:
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    lost = sum(int((record.get("lost_events") or {}).get("num_events_lost", 0)) for record in records)
    return FlowRecords(tuple(_flow(record["flow"]) for record in records if "flow" in record), lost)


def _flow(given: dict[str, Any]) -> Flow:
    tcp = (given.get("l4") or {}).get("TCP") or {}
    flags = tcp.get("flags") or {}
    return Flow(
        (given.get("source") or {}).get("pod_name", ""),
        (given.get("destination") or {}).get("pod_name", ""),
        given.get("verdict", ""),
        frozenset(name for name, is_set in flags.items() if is_set),
        tcp.get("source_port", 0),
        tcp.get("destination_port", 0),
    )
