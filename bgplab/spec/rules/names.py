"""Names that must differ."""

from __future__ import annotations

from collections.abc import Iterator

from bgplab.spec.model import LabSpec
from bgplab.spec.places import Path, dotted
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import nodes_of, repeated, routers_of


@rule()
def names_are_unique(spec: LabSpec) -> Iterator[Breach]:
    hosts = [(path, router.name) for path, router in routers_of(spec)] + [
        (path, node.name) for path, node in nodes_of(spec)
    ]
    subnets: list[tuple[Path, str]] = [(("subnets", index), subnet.name) for index, subnet in enumerate(spec.subnets)]
    clusters: list[tuple[Path, str]] = [(("clusters", index), each.name) for index, each in enumerate(spec.clusters)]
    for what, named in (("host", hosts), ("subnet", subnets), ("cluster", clusters)):
        for path, name, first in repeated(named):
            yield Breach(
                (*path, "name"),
                f"{name!r} is also the name of {dotted(first)}",
                f"a {what} is found by its name" + (", routers and nodes alike" if what == "host" else ""),
                "give it another name",
            )


@rule("routers", "clusters.bgp.peer_names")
def peer_names_fit_the_routers(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        path: Path = ("clusters", index, "bgp", "peer_names")
        names = cluster.bgp.peer_names
        if names and len(names) != len(spec.routers):
            yield Breach(
                path,
                f"{len(names)} names for {len(spec.routers)} routers",
                "every node peers with every router, in the order of 'routers'",
                "give one name per router, or leave the field out",
            )
        for at, name, _ in repeated([((*path, number), name) for number, name in enumerate(names)]):
            yield Breach(at, f"{name!r} appears twice", "Cilium keys peers by name", "give it another name")
