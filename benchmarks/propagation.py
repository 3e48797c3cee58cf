"""From the CRDs to sessions and to the ECMP route, in the guide's order: the router is configured, then nodes dial."""

from __future__ import annotations

import time

from benchmarks.record import Row, Table, judged
from benchmarks.settings import Session, Taking
from benchmarks.statistics import Series
from benchmarks.watching import RouteMonitor, first_with_next_hops, last, session_states
from bgplab.backends.embedded import launch
from bgplab.lab import directory as labs
from bgplab.lab.model import Lab
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline
from bgplab.observe.services import read_service
from bgplab.spec import manifests
from bgplab.spec.loading import load_lab
from bgplab.spec.model import LabSpec
from bgplab.steps.all import STEPS

KEY = "propagation"
NAME = "bench-dial"
#: All that comes before the CRDs in the guide, and what gives the Service its address, so that both can be timed.
BEFORE = ("G03", "G07", "G08", "G09", "G10", "G18", "G19")
WATCHED_SECONDS = 5.0


def measure(session: Session) -> Table:
    taking = Taking(KEY, "CRDs applied → sessions → ECMP route")
    spec = load_lab("guide")
    seen: dict[str, list[float]] = {}
    for number in range(session.rounds):
        taken = _once(spec)
        for name, value in taken.items():
            seen.setdefault(name, []).append(value)
        session.say(f"propagation: round {number + 1}: {taken['sessions']:.2f} s, route {taken['route']:.2f} s")
    of = {name: Series(tuple(values)) for name, values in seen.items()}
    why = "the engine's draw for the last node plus latency; its median for three nodes alone is 1.8 s"
    rows = [
        judged("CRDs applied → all sessions Established", of["sessions"], 2.2, why_not=why),
        judged("CRDs applied → VIP in the router's kernel with a next hop per node", of["route"], 2.3, why_not=why),
        judged(
            "of it ours: CRDs applied → every speaker has its peer",
            of["latency"],
            0.1,
            why_not="see “Where the time goes”, CRDs → speakers",
        ),
        Row("of it gobgpd's: from then until the last one dials (1–2 s drawn per node)", (of["draw"],)),
        Row("of it BGP's: dialled → last session Established", (of["handshake"],)),
        Row("of it FRR's: last session → kernel", (of["frr"],)),
    ]
    notes = [
        "The clock starts before the first CRD is sent (service advertisement, pod advertisement, peer configuration,"
        " cluster configuration); applying the four is within the measurement.",
        "Sessions: from the speakers' own events (daemon's log); route: `ip -ts monitor route` on the router.",
        "gobgpd 3.36 waits 1–2 s, drawn per peer, before its first dial, as Cilium 1.18 does: of three draws the"
        " largest is 1.79 s in the median. “Ours” is the time until the last speaker has its peer.",
    ]
    return taking.table(("three nodes",), rows, notes)


def _once(spec: LabSpec) -> dict[str, float]:
    started = launch.up(spec, NAME, holder="benchmark", grace_seconds=1.0)
    try:
        lab = open_lab(labs.access_to(started.record))
        for step in BEFORE:
            STEPS[step].do(lab, spec, Deadline.after(30))
        return dial(lab, spec, NAME, WATCHED_SECONDS)
    finally:
        started.lease.release()
        launch.down(NAME)


def dial(lab: Lab, spec: LabSpec, name: str, watched_seconds: float) -> dict[str, float]:
    """Apply the CRDs to a lab whose router waits and whose Service has an address; how long everything took."""
    app = spec.cluster.app
    service = read_service(lab.cluster, app.name, app.namespace).service
    assert service is not None and service.vip is not None
    with RouteMonitor(lab.hosts[spec.routers[0].name], watched_seconds) as monitor:
        applied = time.time()
        for manifest in [*manifests.service_advertisement(spec.cluster), *manifests.bgp_resources(spec)]:
            lab.cluster.apply(manifest)
    states = session_states(labs.lab_directory(name) / "daemon.log").values()
    nodes = len(spec.cluster.nodes)
    if len(states) != nodes or not all("established" in one for one in states):
        raise RuntimeError(f"not all of {nodes} sessions stood within {watched_seconds:.0f} s")
    route = first_with_next_hops(monitor.text, str(service.vip), nodes)
    if route is None:
        raise RuntimeError(f"no route with {nodes} next hops within {watched_seconds:.0f} s")
    told, dialled, established = (last(states, state) for state in ("active", "open_sent", "established"))
    return {
        "latency": told - applied,
        "draw": dialled - told,
        "handshake": established - dialled,
        "sessions": established - applied,
        "frr": route - established,
        "route": route - applied,
    }
