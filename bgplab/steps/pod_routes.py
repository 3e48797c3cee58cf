"""Routes to all pods through the router, on every node (G15).

Persistence: a script that sets the route again whenever an interface comes up, in the two places that Debian (ifupdown)
and Ubuntu (networkd-dispatcher, beside netplan) look into. A netplan or interfaces file would have to know how the host
names and configures its interfaces; `ip route replace` in a hook needs not, and is repeatable. Hooks of the system that
is not installed are simply never run.
"""

from __future__ import annotations

from functools import partial

from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.kernel_routes import RouteTable, read_routes
from bgplab.observe.side_by_side import side_by_side
from bgplab.spec import derived
from bgplab.spec.derived import StaticRoute
from bgplab.spec.model import LabSpec, Node
from bgplab.steps.outcome import Outcome, on_host

HOOKS = ("/etc/network/if-up.d/bgp-lab-routes", "/etc/networkd-dispatcher/routable.d/50-bgp-lab-routes")


def plan(spec: LabSpec) -> list[str]:
    hook = HOOKS[0]  # a person knows which of the two systems is there
    keep = ["sh", "-c", f"mkdir -p {hook.rpartition('/')[0]} && cat > {hook} && chmod 755 {hook}"]
    routes = [(node.name, derived.pod_route(spec, node)) for node in spec.cluster.nodes]
    return [
        line
        for node, route in routes
        for line in (
            on_host(node, _replace(route)),
            f"{on_host(node, keep)} <<'EOF'\n{hook_script(route)}EOF",
        )
    ]


def add_pod_routes(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Give every node its route to all pods, live and persistent. Repeatable."""

    def add(node: Node) -> bool:
        return add_route(lab.hosts[node.name], derived.pod_route(spec, node), deadline)

    changed = side_by_side(add, spec.cluster.nodes)
    names = [node.name for node, did in zip(spec.cluster.nodes, changed, strict=True) if did]
    if not names:
        return Outcome.already(f"every node has {spec.cluster.pod_cidr} via its router", plan(spec))
    return Outcome.changed(f"{spec.cluster.pod_cidr} via the router on {', '.join(names)}", plan(spec))


def add_route(host: Shell, route: StaticRoute, deadline: Deadline) -> bool:
    """One host's route; False when it was there, live and persistent. Raises DeadlineExceeded with the last routes."""
    if _has(read_routes(host), route) and _is_persistent(host, route):
        return False
    places = " ".join(HOOKS)
    script = f'{" ".join(_replace(route))} && for f in {places}; do mkdir -p "${{f%/*}}"; done'
    script += f" && tee {places} >/dev/null && chmod 755 {places}"
    host.run(["sh", "-c", script], stdin=hook_script(route))
    wait_until(
        partial(read_routes, host),
        holds=lambda seen: _has(seen, route),
        within=deadline,
        what=f"{host.name}: {route.prefix} via {route.via}",
    )
    return True


def hook_script(route: StaticRoute) -> str:
    return (
        "#!/bin/sh\n"
        "# bgp-lab, step G15: pods by way of the router, since Cilium does not install what it learns.\n"
        f"{' '.join(_replace(route))} 2>/dev/null || true\n"
    )


def _replace(route: StaticRoute) -> list[str]:
    return ["ip", "route", "replace", str(route.prefix), "via", str(route.via)]


def _has(table: RouteTable, route: StaticRoute) -> bool:
    found = table.to(route.prefix)
    return found is not None and found.gateways == {route.via}


def _is_persistent(host: Shell, route: StaticRoute) -> bool:
    done = host.run(["grep", "-qF", " ".join(_replace(route)), HOOKS[0]], check=False)
    return done.exit_status == 0
