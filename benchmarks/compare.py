"""The same lab by four means, in turn: ours, a hand-written script, mininet, munet. From nothing to ECMP and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from benchmarks.box import start_in_box
from benchmarks.machine import ROOT
from benchmarks.others import mininet_layer, munet_python
from benchmarks.record import Row, Table
from benchmarks.settings import WORK, Session, Taking
from benchmarks.statistics import Series
from bgplab.backends.embedded.hosts.userland import require_userland

KEY = "compare"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT_SECONDS = 120.0

Stamps = dict[str, float]


def measure(session: Session) -> Table:
    if os.geteuid() != 0:
        raise RuntimeError("comparing needs root: the others do")
    taking = Taking(KEY, "Beside others: from nothing to ECMP over three nodes and back to nothing")
    contenders = _contenders()
    for name, run in contenders.items():
        session.say(f"compare: {name}, a first run, not counted")
        run()
    stamps: dict[str, list[Stamps]] = {name: [] for name in contenders}
    failures: list[str] = []
    for number in range(session.rounds):
        for name, run in contenders.items():
            stamps[name].append(_patiently(name, run, failures, session))
            session.say(f"compare: round {number + 1}: {name}: {_between('start', 'gone')(stamps[name][-1]):.2f} s")
    return taking.table(tuple(contenders), [*_rows(stamps), *_ours(stamps["bgp-lab"])], [*_notes(), *failures])


def _patiently(name: str, run: Callable[[], Stamps], failures: list[str], session: Session) -> Stamps:
    """A round of a contender. Others may fail now and then by their own races: tried again, and said; ours may not."""
    for _ in range(3):
        try:
            return run()
        except RuntimeError as fault:
            if name == "bgp-lab":
                raise
            reason = str(fault).strip().splitlines()[-1]
            failures.append(f"A round of {name} failed and was repeated: `{reason[:200]}`")
            session.say(failures[-1])
    raise RuntimeError(f"{name} failed three times in a row: {failures[-1]}")


def _rows(stamps: dict[str, list[Stamps]]) -> list[Row]:
    def row(label: str, value: Callable[[Stamps], float]) -> Row:
        return Row(label, tuple(Series(tuple(map(value, taken))) for taken in stamps.values()))

    rows = [
        row("from nothing to speakers told (sum of the next two)", _between("start", "told")),
        row("… hosts wired, FRR, gobgpd: everything runs", lambda one: _running(one) - one["start"]),
        row("… router has its neighbours, speakers are told", lambda one: one["told"] - _running(one)),
        row("told → sessions (gobgpd's draw, 1–2 s)", _between("told", "sessions")),
        row("sessions → route with 3 next hops seen", _between("sessions", "ecmp")),
        row("**from nothing to ECMP**", _between("start", "ecmp")),
        row(
            "**from nothing to ECMP, without the draw**",
            lambda one: one["ecmp"] - one["start"] - (one["sessions"] - one["told"]),
        ),
        row("ECMP → back to nothing", _between("ecmp", "gone")),
        row("**the whole circle**", _between("start", "gone")),
        row(
            "**the whole circle, without the draw**",
            lambda one: one["gone"] - one["start"] - (one["sessions"] - one["told"]),
        ),
    ]
    return [*rows, *_verdicts(rows[-1], tuple(stamps))]


def _verdicts(row: Row, names: tuple[str, ...]) -> list[Row]:
    """Whether ours is ahead of mininet and munet, without the draw, which is the same chance for all."""
    medians = {name: cell.median for name, cell in zip(names, row.cells, strict=True) if isinstance(cell, Series)}
    rows = []
    for other in ("mininet", "munet"):
        ratio = medians["bgp-lab"] / medians[other]
        why = "imports, the launcher's and the daemon's: see “Where the time goes”, beside others"
        label = f"bgp-lab by {other}, whole circle without the draw"
        rows.append(Row(label, (f"{ratio:.2f}",), "< 1", ratio < 1, "" if ratio < 1 else why))
    return rows


def _running(one: Stamps) -> float:
    """When hosts, FRR and speakers ran. The others configure FRR before they start speakers; that part is not in it."""
    return one["up"] if "up" in one else one["speakers"]


def _ours(taken: list[Stamps]) -> list[Row]:
    def row(label: str, first: str, then: str) -> Row:
        return Row(label, (Series(tuple(map(_between(first, then), taken))),))

    return [
        row("bgp-lab: imports and reading the description (the daemon's imports beside it)", "start", "imported"),
        row("bgp-lab: `up` until hosts are wired and FRR runs (daemon's imports beside it)", "imported", "topology"),
        row("bgp-lab: **our Kubernetes layer**: API, controllers, agents start after that", "topology", "cluster"),
        row("bgp-lab: lease taken", "cluster", "up"),
        row(
            "bgp-lab: neighbours typed into vtysh over SSH, which is loaded only then"
            " (the others: within “everything runs”)",
            "up",
            "router",
        ),
        row("bgp-lab: **our Kubernetes layer**: pool, Service, labels, CRDs applied", "router", "told"),
    ]


def _notes() -> list[str]:
    return [
        "All: router (FRR 8.4.4 by its init script, watchfrr too) first, its neighbours typed into vtysh; then three"
        " gobgpd 3.36 are told their paths and, last, their peer; done when the router's kernel has a /32 with three"
        " next hops; then down until nothing is left. Each in a new process whose clock starts when its Python"
        " has started, so imports count; FRR and gobgpd come from the same unpacked Debian packages.",
        "The others run in a box (private PID, mount, network namespaces) that is made before the clock starts; ours"
        " makes its own, within the measurement. Ours has SSH servers, hosts with their own root, a Kubernetes API,"
        " service data path, DNS and flow logs besides; the others have network namespaces only.",
        "“Told” is for ours: neighbours, pool, Service, labels and CRDs, through SSH and the Kubernetes API; for the"
        " others the gRPC calls to gobgpd. Ours is asked over SSH whether sessions stand, the others by a local vtysh.",
        "The draw: gobgpd waits 1–2 s before it dials, drawn per peer; the same chance for all, hence the lines without"
        " it (they leave out “told → sessions” altogether, in which ours also passes the CRDs on to the speakers).",
        "munet runs with its environment's own bin first in PATH: with pyenv's shims there a node takes it 1 s.",
    ]


def _between(first: str, then: str) -> Callable[[Stamps], float]:
    return lambda one: one[then] - one[first]


def _contenders() -> dict[str, Callable[[], Stamps]]:
    userland, mininet, munet = require_userland(), mininet_layer(), munet_python()
    site = sysconfig.get_paths()["purelib"]
    ours = [sys.executable, "-m", "benchmarks.contenders.ours", str(WORK / "state")]
    arguments = [str(userland), str(mininet)]

    def other(python: Path | str, module: str, *path: str) -> Callable[[], Stamps]:
        environment = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), *path]),
            "PATH": f"{Path(python).parent}:{SYSTEM_PATH}",
        }
        command = [str(python), "-m", f"benchmarks.contenders.{module}", *arguments]
        return lambda: _run(command, boxed=True, environment=environment)

    munet_site = next(munet.parents[1].glob("lib/python3.*/site-packages"))
    return {
        "bgp-lab": lambda: _run(ours, boxed=False, environment={}),
        "hand-written": other(sys.executable, "hand_written"),
        "mininet": other(sys.executable, "mininet_lab"),
        "munet": other(munet, "munet_lab", str(munet_site), site),
    }


def _run(command: list[str], *, boxed: bool, environment: dict[str, str]) -> Stamps:
    """Run a contender; its stamps. Raises RuntimeError with what it said."""
    errors = WORK / "contender.log"
    with open(errors, "w") as file:
        if boxed:
            process = start_in_box(command, network=True, environment=environment, cwd=ROOT, stderr=file.fileno())
        else:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        said, _ = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
        process.wait()
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if process.returncode != 0 or not lines:
        raise RuntimeError(f"{command[2]}: exit {process.returncode}\n{said[-500:]}\n{errors.read_text()[-2500:]}")
    stamps: Stamps = json.loads(lines[-1])
    return stamps
