"""The routers' BGP configuration, their neighbours, and the restart that proves it is saved (G07–G09)."""

from __future__ import annotations

from functools import partial

from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.frr_bgp import BgpSummary, read_summaries, vtysh
from bgplab.observe.frr_config import FrrConfig, read_running_config, read_startup_config
from bgplab.observe.frr_service import FrrService, read_service
from bgplab.observe.side_by_side import side_by_side
from bgplab.spec import derived, frr
from bgplab.spec.model import LabSpec, Router
from bgplab.steps.hosts import routers_of
from bgplab.steps.outcome import Outcome, on_host

RESTART = ["systemctl", "restart", "frr"]
_IN_ADDRESS_FAMILY = ("network ", "maximum-paths ")


def base_commands(router: Router) -> list[str]:
    """What is typed into vtysh for G07, one per `-c`."""
    first, *lines = frr.base_lines(router)
    family = [line for line in lines if line.startswith(_IN_ADDRESS_FAMILY)]
    others = [line for line in lines if line not in family]
    return ["configure terminal", first, *others, "address-family ipv4 unicast", *family, "end", "write memory"]


def plan_base(spec: LabSpec) -> list[str]:
    return [on_host(router.name, vtysh(*base_commands(router))) for router in spec.routers]


def configure_base(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """`router bgp` with identifier, networks and multipath settings on every router (G07). Repeatable."""

    def configure(router: Router) -> bool:
        host = lab.hosts[router.name]
        if _has_lines(read_running_config(host), router.asn, frr.base_lines(router)[1:]):
            return False
        host.run(vtysh(*base_commands(router)))
        wait_until(
            partial(read_running_config, host),
            holds=lambda seen: _has_lines(seen, router.asn, frr.base_lines(router)[1:]),
            within=deadline,
            what=f"{router.name}: `router bgp {router.asn}` in the running configuration",
        )
        return True

    changed = side_by_side(configure, spec.routers)
    what = f"`router bgp` on {_names(spec)}"
    return Outcome.changed(what, plan_base(spec)) if any(changed) else Outcome.already(what, plan_base(spec))


def plan_peers(spec: LabSpec) -> list[str]:
    return [on_host(router.name, vtysh(*frr.peer_commands(spec, router))) for router in spec.routers]


def add_peers(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The nodes as neighbours of every router, saved (G08). Repeatable: lines that are there are not typed again."""

    def add(router: Router) -> bool:
        host, lines = lab.hosts[router.name], frr.peer_lines(spec, router)
        configs = read_running_config(host), read_startup_config(host)
        if all(_has_lines(config, router.asn, lines) for config in configs):
            return False
        host.run(vtysh(*frr.peer_commands(spec, router)))
        due = {node.address for node in derived.bgp_nodes(spec)}
        wait_until(
            partial(_read_summary, host),
            holds=lambda seen: due <= {peer.address for peer in seen.peers},
            within=deadline,
            what=f"{router.name}: {len(due)} neighbours",
        )
        return True

    changed = side_by_side(add, spec.routers)
    what = f"{len(derived.bgp_nodes(spec))} neighbours on {_names(spec)}, saved"
    return Outcome.changed(what, plan_peers(spec)) if any(changed) else Outcome.already(what, plan_peers(spec))


def plan_restart(spec: LabSpec) -> list[str]:
    return [
        line
        for router in spec.routers
        for line in (on_host(router.name, RESTART), on_host(router.name, ["journalctl", "-u", "frr", "-n", "30"]))
    ]


def restart_frr(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Restart FRR where bgpd has not started since its configuration was last written (G09). Repeatable.

    Waits until the service is up and has its neighbours again; `systemctl`'s own word proves nothing (facts/frr.md, 8).
    """
    routers = routers_of(lab, spec)
    due = {node.address for node in derived.bgp_nodes(spec)}

    def restart(name: str) -> bool:
        host = routers[name]
        if read_service(host).has_read_its_configuration:
            return False
        host.run(RESTART, timeout=max(1.0, deadline.remaining))
        wait_until(
            partial(_read_service_and_summary, host),
            holds=lambda seen: seen[0].has_read_its_configuration and due <= {peer.address for peer in seen[1].peers},
            within=deadline,
            what=f"{name}: FRR back with {len(due)} neighbours",
        )
        return True

    restarted = [name for name, did in zip(routers, side_by_side(restart, routers), strict=True) if did]
    if not restarted:
        return Outcome.already("FRR has started since its configuration was written", plan_restart(spec))
    return Outcome.changed(f"FRR restarted on {', '.join(restarted)}", plan_restart(spec))


def _read_summary(host: Shell) -> BgpSummary:
    return read_summaries({host.name: host}).by_router[host.name]


def _read_service_and_summary(host: Shell) -> tuple[FrrService, BgpSummary]:
    return read_service(host), _read_summary(host)


def _has_lines(config: FrrConfig, asn: int, lines: tuple[str, ...]) -> bool:
    return config.asn == asn and set(lines) <= set(config.bgp_lines)


def _names(spec: LabSpec) -> str:
    return ", ".join(router.name for router in spec.routers)
