"""Every check there is: importing the chapters registers them."""

from __future__ import annotations

from bgplab.checks import (
    base,
    bgp_resources,
    ecmp,
    load_balancer,
    mesh_base,
    mesh_failover,
    mesh_service,
    peering,
    pod_routes,
    sample_app,
    traffic_policy,
)
from bgplab.checks.failover import all as failover
from bgplab.checks.registry import CHECKS, Check

CHAPTERS = (base, sample_app, peering, bgp_resources, pod_routes, load_balancer, traffic_policy, ecmp, failover)
MESH_CHAPTERS = (mesh_base, mesh_service, mesh_failover)


def all_checks(letter: str = "G") -> dict[str, Check]:
    """One part's checks by id, in its order. letter: the part; G is the BGP lab."""
    return dict(sorted((id, check) for id, check in CHECKS.items() if id.startswith(letter)))
