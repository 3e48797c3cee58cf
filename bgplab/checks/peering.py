"""The routers' side: configuration, neighbours, restart (G07–G09)."""

from __future__ import annotations

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding
from bgplab.checks.registry import Explanation, check
from bgplab.observe.frr_bgp import BgpSummaries
from bgplab.observe.frr_config import FrrConfig, RunningConfigs, StartupConfigs
from bgplab.observe.frr_service import FrrLogs, FrrServices
from bgplab.spec import frr
from bgplab.spec.model import Router

#: States in which a neighbour waits for the nodes to dial; Idle is where FRR starts (for about a second).
NOT_YET = {"Idle", "Active", "Connect", "OpenSent", "OpenConfirm"}
DAEMONS = {"zebra", "bgpd", "staticd"}


def base_lines(router: Router) -> tuple[str, ...]:
    """The lines that the `router bgp` block must have, as FRR prints them."""
    return frr.base_lines(router)[1:]


def missing_base_lines(router: Router, config: FrrConfig) -> list[str]:
    """What is not as it should be in a router's `router bgp` block."""
    if config.asn != router.asn:
        return [
            f"{router.name}: `router bgp {config.asn}`, expected {router.asn}"
            if config.asn
            else f"{router.name}: no `router bgp`"
        ]
    lacking = [line for line in base_lines(router) if line not in config.bgp_lines]
    return [f"{router.name}: `{line}` is missing" for line in lacking]


@check(
    "G07",
    title="router's BGP configuration is there",
    needs=(RunningConfigs, BgpSummaries),
    explanation=Explanation(
        "FRR's running configuration has `router bgp` with its identifier, networks and multipath settings; until G08"
        " no neighbour.",
        "FRR wants a policy for eBGP unless told otherwise, and `network` is announced only because the router owns the"
        " prefix on an interface.",
        ("ssh {router} sudo vtysh -c 'show running-config'", "ssh {router} sudo vtysh -c 'show ip bgp summary'"),
    ),
)
def router_has_its_base_configuration(configs: RunningConfigs, seen: BgpSummaries, expected: Expected) -> Finding:
    problems = []
    for router in expected.routers:
        problems += missing_base_lines(router, configs.by_router[router.name])
        if not expected.reached("G08"):
            peers = [peer.address for peer in seen.by_router[router.name].peers]
            problems += difference(f"{router.name}: neighbours", peers, [])
    versions = {config.version for config in configs.by_router.values() if config.version}
    lines = sum(len(base_lines(router)) for router in expected.routers)
    neighbours = "" if expected.reached("G08") else ", no neighbour yet"
    return judged(
        problems, f"FRR {listed(versions)}: all {lines} lines are there{neighbours}", frr_version=listed(versions)
    )


@check(
    "G08",
    title="neighbours are configured and saved",
    needs=(RunningConfigs, StartupConfigs, BgpSummaries),
    explanation=Explanation(
        "Each router has the nodes as neighbours in its running and its startup configuration; until G11 none of them"
        " is Established.",
        "Nodes do not speak BGP yet and refuse FRR's connections, so FRR waits in Active. `write memory` keeps the"
        " neighbours over a restart.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", "ssh {router} sudo cat /etc/frr/frr.conf"),
    ),
)
def neighbours_are_configured_and_saved(
    running: RunningConfigs, startup: StartupConfigs, seen: BgpSummaries, expected: Expected
) -> Finding:
    problems, states = [], set()
    for router in expected.routers:
        name, due = router.name, expected.bgp_addresses
        peers = seen.by_router[name].peers
        problems += difference(f"{name}: neighbours", [peer.address for peer in peers], due)
        problems += difference(
            f"{name}: neighbours in the running configuration", running.by_router[name].neighbors, due
        )
        problems += difference(
            f"{name}: neighbours in the startup configuration", startup.by_router[name].neighbors, due
        )
        if f"neighbor {router.peer_group} remote-as external" not in running.by_router[name].bgp_lines:
            problems.append(f"{name}: peer group {router.peer_group} is not `remote-as external`")
        states |= {peer.state for peer in peers}
        if not expected.reached("G11"):
            early = [f"{peer.address} is {peer.state}" for peer in peers if peer.state not in NOT_YET]
            problems += [f"{name}: {listed(early)} before the nodes speak BGP"] if early else []
    count = len(expected.bgp_addresses)
    return judged(
        problems, f"{count} neighbours on each of {len(expected.routers)} routers ({listed(states)})", neighbours=count
    )


@check(
    "G09",
    title="configuration survives a restart of FRR",
    needs=(FrrServices, FrrLogs, BgpSummaries, RunningConfigs),
    patience_seconds=15,
    explanation=Explanation(
        "bgpd has started after the configuration was written, every daemon has read it, watchfrr says that all are up,"
        " and the neighbours are still there.",
        "A router whose configuration was never saved looks right until its first restart.",
        (
            "ssh {router} sudo systemctl restart frr",
            "ssh {router} sudo journalctl -u frr -n 30",
            "ssh {router} sudo vtysh -c 'show ip bgp summary'",
        ),
    ),
)
def configuration_survives_a_restart(
    services: FrrServices, logs: FrrLogs, seen: BgpSummaries, configs: RunningConfigs, expected: Expected
) -> Finding:
    problems = []
    for router in expected.routers:
        name = router.name
        service, log = services.by_router[name], logs.by_router[name]
        if not service.active:
            problems.append(f"{name}: frr is not active")
        elif not service.has_read_its_configuration:
            problems.append(
                f"{name}: bgpd started at {service.started}, the configuration was written at {service.written}"
            )
        problems += difference(f"{name}: daemons that logged `Configuration Read`", log.read_by & DAEMONS, DAEMONS)
        problems += [] if log.all_daemons_up else [f"{name}: watchfrr has not logged `all daemons up`"]
        peers = [peer.address for peer in seen.by_router[name].peers]
        problems += difference(f"{name}: neighbours", peers, expected.bgp_addresses)
        problems += missing_base_lines(router, configs.by_router[name])
    return judged(problems, "all daemons came back with the saved configuration and its neighbours")
