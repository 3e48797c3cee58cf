"""`cilium-dbg bgp peers`: the sessions of all instances of the node."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from bgplab.backends.embedded.agents.bgp.model import Session
from bgplab.backends.embedded.agents.cilium_dbg.durations import in_seconds
from bgplab.backends.embedded.agents.cilium_dbg.tabwriter import laid_out

HEADING = "Local AS\tPeer AS\tPeer Address\tSession\tUptime\tFamily\tReceived\tAdvertised\n"


def in_order(sessions: Iterable[Session]) -> list[Session]:
    return sorted(sessions, key=lambda session: (session.local_asn, session.address))


def peers_table(sessions: Iterable[Session], now: datetime) -> str:
    """The heading, and a row per session and family; further families stand under the first."""
    return laid_out(HEADING + "".join(_rows(session, now) for session in in_order(sessions)))


def _rows(session: Session, now: datetime) -> str:
    cells = [
        session.local_asn,
        session.peer_asn,
        f"{session.address}:{session.port}",
        session.state,
        in_seconds(_uptime_nanoseconds(session, now)),
    ]
    start = "\t".join(map(str, cells))
    indent = "\t" * (len(cells) - 1)
    return "".join(
        f"{start if number == 0 else indent}\t{count.family}\t{count.received}\t{count.advertised}\t\n"
        for number, count in enumerate(session.families)
    )


def peers_json(sessions: Iterable[Session], now: datetime) -> list[dict[str, Any]] | None:
    """Go's models: keys in the order of its fields, zero values left out but for lists; null when there is none."""
    return [_peer_json(session, now) for session in in_order(sessions)] or None


def _peer_json(session: Session, now: datetime) -> dict[str, Any]:
    return without_zeros(
        {
            "applied-hold-time-seconds": session.applied_hold_seconds,
            "applied-keep-alive-time-seconds": session.applied_keepalive_seconds,
            "configured-hold-time-seconds": session.configured.hold_seconds,
            "configured-keep-alive-time-seconds": session.configured.keepalive_seconds,
            "connect-retry-time-seconds": session.configured.connect_retry_seconds,
            "ebgp-multihop-ttl": session.multihop_ttl,
            "families": [
                without_zeros(
                    {
                        "accepted": count.accepted,
                        "advertised": count.advertised,
                        "afi": count.family.afi,
                        "received": count.received,
                        "safi": count.family.safi,
                    }
                )
                for count in session.families
            ],
            "graceful-restart": without_zeros(
                {
                    "enabled": session.restart_seconds is not None,
                    "restart-time-seconds": session.restart_seconds or 0,
                }
            ),
            "local-asn": session.local_asn,
            "peer-address": session.address,
            "peer-asn": session.peer_asn,
            "peer-port": session.port,
            "session-state": str(session.state),
            "tcp-password-enabled": session.password,
            "uptime-nanoseconds": _uptime_nanoseconds(session, now),
        }
    )


def _uptime_nanoseconds(session: Session, now: datetime) -> int:
    return 0 if session.established_at is None else nanoseconds(now - session.established_at)


def nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1000


def without_zeros(fields: dict[str, Any]) -> dict[str, Any]:
    """Go's `omitempty`, as Cilium's models have it: not on lists and objects."""
    return {key: value for key, value in fields.items() if isinstance(value, list | dict) or value not in (0, "", None)}
