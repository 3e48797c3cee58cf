"""The lab in bgp-lab: the guide's description, the router over SSH with vtysh, the rest through the Kubernetes API.

Not the whole guide: as for the others, the router's neighbours, then what makes the nodes dial and announce.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.contenders.lab import NODES, SUMMARY, VIP, Clock, established, neighbours, next_hops, until, vtysh


def main() -> None:
    clock = Clock()
    clock.stamp("start")
    os.environ["BGPLAB_STATE"] = sys.argv[1]
    from bgplab.backends.embedded.starting import Starting

    ahead = Starting()  # as `bgp-lab up` does: it loads beside what is imported here
    from bgplab.backends.embedded import launch
    from bgplab.lab import directory as labs
    from bgplab.lab.cluster import NODE, SERVICE
    from bgplab.lab.opening import open_lab
    from bgplab.spec import frr, manifests
    from bgplab.spec.loading import load_lab

    spec = load_lab("guide")
    clock.stamp("imported")
    started = launch.up(spec, "contender", holder="benchmark", grace_seconds=1.0, say=_phases(clock), ahead=ahead)
    clock.stamp("up")
    lab = open_lab(labs.access_to(started.record))
    cluster, router = lab.cluster, lab.hosts["router"]

    def summary() -> str:
        return router.run(vtysh(SUMMARY)).stdout

    router.run(vtysh(*frr.peer_commands(spec, spec.routers[0])))
    until(lambda: neighbours(summary()) == len(NODES), "neighbours in FRR")
    clock.stamp("router")
    (service,) = (one for one in manifests.sample_app(spec.cluster) if one["kind"] == "Service")
    for manifest in [*manifests.lb_pool(spec.cluster), service, *manifests.service_advertisement(spec.cluster)]:
        cluster.apply(manifest)
    cluster.patch(SERVICE, spec.cluster.app.name, {"spec": {"type": "LoadBalancer"}}, type="strategic")
    for node in spec.cluster.nodes:
        cluster.patch(NODE, node.name, {"metadata": {"labels": {spec.cluster.bgp.node_label: "true"}}})
    for manifest in manifests.bgp_resources(spec):
        cluster.apply(manifest)
    clock.stamp("told")
    until(lambda: established(summary()) == len(NODES), "sessions")
    clock.stamp("sessions")
    until(lambda: next_hops(router.run(["ip", "route", "show", VIP]).stdout) == len(NODES), "route")
    clock.stamp("ecmp")
    started.lease.release()
    launch.down("contender")
    clock.stamp("gone")
    if Path(sys.argv[1], "labs", "contender").exists():
        raise RuntimeError("the lab's directory is still there")
    clock.say()


def _phases(clock: Clock):  # type: ignore[no-untyped-def]
    """Stamps for what `up` says; the first word of its phases is all that is looked at."""

    def say(text: str) -> None:
        clock.stamp("topology" if "wired" in text else "cluster")

    return say


if __name__ == "__main__":
    main()
