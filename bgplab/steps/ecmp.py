"""The routers' multipath hash (G28)."""

from __future__ import annotations

from collections.abc import Mapping

from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.side_by_side import by_name
from bgplab.observe.sysctl import (
    DIRECTORY,
    HASH_FIELDS,
    HASH_POLICY,
    Assignment,
    HashPolicyRestored,
    read_assignments,
    read_setting,
)
from bgplab.spec.model import LabSpec
from bgplab.steps.hosts import routers_of
from bgplab.steps.outcome import Outcome, on_host

FILE = f"{DIRECTORY}/90-bgp-lab.conf"
#: What a kernel has by itself (ip-sysctl): policy 0; addresses and protocol as the fields of policy 3.
KERNELS_OWN = {HASH_POLICY: 0, HASH_FIELDS: 7}


def settings(spec: LabSpec) -> dict[str, int]:
    """What is to be set, by key; the fields only for the policy that asks for them."""
    fields = spec.ecmp.hash_fields
    return {HASH_POLICY: spec.ecmp.hash_policy} | ({} if fields is None else {HASH_FIELDS: fields})


def plan(spec: LabSpec) -> list[str]:
    wanted = settings(spec)
    live = [["sysctl", "-w", *(f"{key}={value}" for key, value in wanted.items())]]
    written = [["sh", "-c", _write(wanted)]]
    proved = [["sysctl", "-w", f"{HASH_POLICY}=0"], ["sysctl", "--system"]]
    return [on_host(router.name, argv) for router in spec.routers for argv in (*live, *written, *proved)]


def _write(wanted: Mapping[str, int]) -> str:
    lines = [f"echo '{key} = {value}'" for key, value in wanted.items()]
    return f"{lines[0]} > {FILE}" if len(lines) == 1 else f"{{ {'; '.join(lines)}; }} > {FILE}"


def set_hash_policy(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The hash policy, live and by exactly one line under /etc/sysctl.d; proves that it comes back (G28). Repeatable.

    Lines elsewhere (the guide's `>> /etc/sysctl.conf`) are commented out: with two nobody knows which one counts.
    """
    wanted, routers = settings(spec), routers_of(lab, spec)

    def live(router: Shell) -> dict[str, int]:
        return {key: read_setting(router, key) for key in wanted}

    def set_on(router: Shell) -> int | None:
        found = {key: read_assignments(router, key) for key in wanted}
        written = {key: (Assignment(FILE, str(value)),) for key, value in wanted.items()}
        if found == written and live(router) == wanted:
            return None
        return int(router.run(["sh", "-c", _script(wanted, found)]).stdout.split()[-1])

    restored = {name: value for name, value in by_name(set_on, routers).items() if value is not None}
    said = ", ".join(f"{key} = {value}" for key, value in wanted.items())
    what = f"{said} on {', '.join(routers)}, in {FILE}"
    if not restored:
        return Outcome.already(what, plan(spec))
    wait_until(
        lambda: by_name(live, routers),
        holds=lambda seen: all(each == wanted for each in seen.values()),
        within=deadline,
        what=what,
    )
    return Outcome.changed(what, plan(spec), evidence=[HashPolicyRestored(restored)])


def _script(wanted: Mapping[str, int], found: Mapping[str, tuple[Assignment, ...]]) -> str:
    """One line each in our file, none in others; then 0 live, and what `sysctl --system` makes of it, printed last."""
    clean = [
        f"sed -i 's|^[[:space:]]*-\\{{0,1\\}}{key.replace('.', '[./]')}|# bgp-lab: &|' {file}"
        for key, lines in found.items()
        for file in sorted({line.file for line in lines if line.file != FILE})
    ]
    return "; ".join(
        [
            "set -e",
            *clean,
            f"mkdir -p {DIRECTORY}",
            _write(wanted),
            *(f"sysctl -qw {key}={KERNELS_OWN[key]}" for key in wanted),
            "sysctl --system >/dev/null 2>&1 || true",
            f"sysctl -n {HASH_POLICY}",
            *(f"sysctl -qw {key}={value}" for key, value in wanted.items()),
        ]
    )
