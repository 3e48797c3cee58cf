"""The routers' multipath hash (G28)."""

from __future__ import annotations

from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.side_by_side import by_name
from bgplab.observe.sysctl import (
    DIRECTORY,
    HASH_POLICY,
    Assignment,
    HashPolicyRestored,
    read_assignments,
    read_hash_policies,
    read_hash_policy,
)
from bgplab.spec.model import LabSpec
from bgplab.steps.hosts import routers_of
from bgplab.steps.outcome import Outcome, on_host

FILE = f"{DIRECTORY}/90-bgp-lab.conf"


def plan(spec: LabSpec) -> list[str]:
    line = f"{HASH_POLICY} = {spec.ecmp.hash_policy}"
    return [
        command
        for router in spec.routers
        for command in (
            on_host(router.name, ["sysctl", "-w", f"{HASH_POLICY}={spec.ecmp.hash_policy}"]),
            on_host(router.name, ["sh", "-c", f"echo '{line}' > {FILE}"]),
            on_host(router.name, ["sysctl", "-w", f"{HASH_POLICY}=0"]),
            on_host(router.name, ["sysctl", "--system"]),
        )
    ]


def set_hash_policy(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The hash policy, live and by exactly one line under /etc/sysctl.d; proves that it comes back (G28). Repeatable.

    Lines elsewhere (the guide's `>> /etc/sysctl.conf`) are commented out: with two nobody knows which one counts.
    """
    policy, routers = spec.ecmp.hash_policy, routers_of(lab, spec)
    line = Assignment(FILE, str(policy))

    def set_on(router: Shell) -> int | None:
        found = read_assignments(router)
        if read_hash_policy(router) == policy and found == (line,):
            return None
        return int(router.run(["sh", "-c", _script(policy, found)]).stdout.split()[-1])

    restored = {name: value for name, value in by_name(set_on, routers).items() if value is not None}
    what = f"{HASH_POLICY} = {policy} on {', '.join(routers)}, in {FILE}"
    if not restored:
        return Outcome.already(what, plan(spec))
    wait_until(
        lambda: read_hash_policies(routers).by_router,
        holds=lambda seen: set(seen.values()) == {policy},
        within=deadline,
        what=what,
    )
    return Outcome.changed(what, plan(spec), evidence=[HashPolicyRestored(restored)])


def _script(policy: int, found: tuple[Assignment, ...]) -> str:
    """One line in our file, none in others; then 0 live, and what `sysctl --system` makes of it, printed last."""
    others = sorted({line.file for line in found if line.file != FILE})
    key = HASH_POLICY.replace(".", "[./]")
    clean = [f"sed -i 's|^[[:space:]]*-\\{{0,1\\}}{key}|# bgp-lab: &|' {file}" for file in others]
    return "; ".join(
        [
            "set -e",
            *clean,
            f"mkdir -p {DIRECTORY}",
            f"echo '{HASH_POLICY} = {policy}' > {FILE}",
            f"sysctl -qw {HASH_POLICY}=0",
            "sysctl --system >/dev/null 2>&1 || true",
            f"sysctl -n {HASH_POLICY}",
            f"sysctl -qw {HASH_POLICY}={policy}",
        ]
    )
