"""The shells of a lab by role."""

from __future__ import annotations

from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.spec.model import LabSpec


def routers_of(lab: Lab, spec: LabSpec) -> dict[str, Shell]:
    return {router.name: lab.hosts[router.name] for router in spec.routers}


def nodes_of(lab: Lab, spec: LabSpec) -> dict[str, Shell]:
    return {node.name: lab.hosts[node.name] for node in spec.cluster.nodes}
