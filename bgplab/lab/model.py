"""A lab in hand: named hosts and clusters behind the seams. What exists is data; how to talk to it is in drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `list` and `down` read records of labs, and talk to none
    from bgplab.lab.cluster import Cluster
    from bgplab.lab.shell import Shell


@dataclass(frozen=True, slots=True)
class Access:
    """What a backend hands over: files by which anybody can reach the lab.

    kubeconfig: contexts by cluster name in `contexts`; ssh_config: has an entry for every host in `hosts`.
    sudo: whether commands on hosts need it (true on Vagrant's VMs).
    """

    name: str
    ssh_config: Path
    kubeconfig: Path
    hosts: tuple[str, ...]
    contexts: Mapping[str, str] = field(default_factory=dict)
    sudo: bool = False


@dataclass(frozen=True, slots=True)
class Lab:
    """The seams of one lab: shells by host name, clusters by name."""

    name: str
    hosts: Mapping[str, Shell]
    clusters: Mapping[str, Cluster]

    @property
    def cluster(self) -> Cluster:
        """The only cluster. Raises ValueError when there are several."""
        (only,) = self.clusters.values()
        return only
