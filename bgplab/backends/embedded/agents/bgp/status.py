"""The status of a node's CiliumBGPNodeConfig: what Cilium's agent writes there, in its rhythm. Off the measured path.

A snapshot is taken when a session's state changes, a neighbour ends its table or the configuration was applied;
it is written at the next tick of about 5 s, when it differs. So states are 2-6 s late, and counters stay as they were
at the last change (cilium-observed 1: judge counts by the CLI or the router, state by this).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bgplab.backends.embedded.agents.bgp.model import Session, SessionState
from bgplab.backends.embedded.controllers.conditions import Condition, find, with_condition
from bgplab.lab.cluster import BGP_NODE_CONFIG, ApiError, Cluster

TICK_SECONDS, TICK_JITTER_SECONDS = 5.0, 0.5
FIELD_MANAGER = "CiliumBGPNodeConfigStatusReconciler"
ERROR_CONDITION = "cilium.io/BGPReconcileError"


def instance_status(wanted: Mapping[str, Any], sessions: Sequence[Session]) -> dict[str, Any]:
    """`status.bgpInstances[]` of one instance of the spec; a peer that does not run has no peeringState."""
    by_address = {session.address: session for session in sessions}
    peers = [
        _peer_status(peer, by_address.get(peer["peerAddress"]))
        for peer in wanted.get("peers") or ()
        if peer.get("peerAddress") and peer.get("peerASN") is not None
    ]
    return {"name": wanted["name"], "localASN": wanted["localASN"], **({"peers": peers} if peers else {})}


def _peer_status(peer: Mapping[str, Any], session: Session | None) -> dict[str, Any]:
    status: dict[str, Any] = {
        "name": peer["name"],
        "peerAddress": peer["peerAddress"],
        "peerASN": peer["peerASN"],
    }
    if session is None:
        return status
    if peer["peerASN"] == 0:
        status["peerASN"] = session.peer_asn
    status["peeringState"] = str(session.state)
    if session.state is SessionState.ESTABLISHED and session.established_at is not None:
        status["establishedTime"] = _rfc3339(session.established_at)
    status["timers"] = {
        "appliedHoldTimeSeconds": session.applied_hold_seconds,
        "appliedKeepaliveSeconds": session.applied_keepalive_seconds,
    }
    status["routeCount"] = [
        {
            "afi": count.family.afi,
            "safi": count.family.safi,
            "advertised": count.advertised,
            "received": count.received,
        }
        for count in session.families
    ]
    return status


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def error_message(errors: Sequence[tuple[str, str]]) -> str:
    """The condition's message: a line for each (instance, error), each with a newline at its end."""
    return "".join(f"{instance}: {text}\n" for instance, text in errors)


class StatusWriter:
    """The status to be written and the one that was. All calls from one thread at a time.

    schedule: has `write` called after so many seconds, once.
    """

    def __init__(
        self, node_name: str, cluster: Cluster, schedule: Callable[[float], None], rng: random.Random | None = None
    ) -> None:
        self._node_name = node_name
        self._cluster = cluster
        self._schedule = schedule
        self._rng = rng or random.Random()
        self._first_tick = time.monotonic() + self._rng.uniform(0, TICK_SECONDS)
        self._instances: dict[str, dict[str, Any]] = {}
        self._conditions: list[dict[str, Any]] = []
        self._written: tuple[str, dict[str, Any]] | None = None

    def see_instance(self, wanted: Mapping[str, Any], sessions: Sequence[Session]) -> None:
        """Take a snapshot of one instance."""
        status = instance_status(wanted, sessions)
        if self._instances.get(status["name"]) != status:
            self._instances[status["name"]] = status
            self._schedule(self._seconds_to_tick())

    def keep_only(self, names: set[str]) -> None:
        """Forget instances that are gone."""
        for name in self._instances.keys() - names:
            del self._instances[name]
            self._schedule(self._seconds_to_tick())

    def see_errors(self, errors: Sequence[tuple[str, str]]) -> None:
        """Set the condition; before the first error there is none."""
        if not errors and find(self._conditions, ERROR_CONDITION) is None:
            return
        wanted = Condition(ERROR_CONDITION, str(bool(errors)), "BGPReconcileError", error_message(errors))
        conditions = with_condition(self._conditions, wanted)
        if conditions != self._conditions:
            self._conditions = conditions
            self._schedule(self._seconds_to_tick())

    def see_object(self, node_config: Mapping[str, Any]) -> None:
        """An object of the same name but another uid has no status yet."""
        if self._written is not None and self._written[0] != node_config["metadata"].get("uid"):
            self._written = None
            self._schedule(self._seconds_to_tick())

    def forget(self) -> None:
        """The node config is gone, and all that was said in it."""
        self._instances, self._conditions, self._written = {}, [], None

    def write(self, node_config: Mapping[str, Any] | None) -> None:
        """Write what is to be written, if it differs from what was. Raises ApiError but for an object that is gone."""
        status: dict[str, Any] = {}
        if self._instances:
            status["bgpInstances"] = list(self._instances.values())
        if self._conditions:
            status["conditions"] = self._conditions
        if node_config is None or self._written == (node_config["metadata"].get("uid"), status):
            return
        # `add` replaces as well (RFC 6902, 4.1) and also works on an object that has no status yet.
        patch = [{"op": "add", "path": "/status", "value": status}]
        try:
            self._cluster.patch(
                BGP_NODE_CONFIG,
                self._node_name,
                patch,
                type="json",
                subresource="status",
                field_manager=FIELD_MANAGER,
            )
        except ApiError as fault:
            if fault.code != 404:
                raise
            return
        self._written = (node_config["metadata"].get("uid"), {**status})

    def _seconds_to_tick(self) -> float:
        """Ticks are 5 s apart and jitter, so that nodes do not write all at once."""
        late = (time.monotonic() - self._first_tick) % TICK_SECONDS
        return max(0.0, TICK_SECONDS - late + self._rng.gauss(0, TICK_JITTER_SECONDS))
