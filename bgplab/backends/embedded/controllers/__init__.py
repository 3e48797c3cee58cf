"""Controllers of a lab's cluster: ordinary clients of the Kubernetes API, one file each.

They see the cluster through the Cluster seam only, so they run against a real kube-apiserver, too. Files without a
thread in them are pure: `ip_allocation`, `bgp_node_configs`, `scheduling`, `requests`, `rollout`, `endpoints`, `pods`,
`selectors`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgplab.backends.embedded.controllers.runtime import Informers
    from bgplab.lab.cluster import Cluster


def start_controllers(
    cluster: Cluster,
    informers: Informers,
    stop: threading.Event,
    *,
    cilium_version: str = "1.18",
    kubernetes: bool = True,
) -> None:
    """Start all controllers as threads that end with `stop`; returns at once.

    kubernetes: also those of Kubernetes itself (deployments, scheduler, …); False in front of a cluster that has them.
    The resource types of `load_crds` may still be missing: their controllers wait for them.
    """
    if kubernetes:
        start_kubernetes_controllers(cluster, informers, stop)
    start_cilium_controllers(cluster, informers, stop, cilium_version=cilium_version)


def start_cilium_controllers(
    cluster: Cluster, informers: Informers, stop: threading.Event, *, cilium_version: str, bgp: bool = True
) -> None:
    """Those of Cilium: its operator's, and what each agent does for its own CiliumNode.

    bgp: whether the BGP control plane is on (`enable-bgp-control-plane`).
    """
    from bgplab.backends.embedded.controllers.bgp_operator import BgpOperator
    from bgplab.backends.embedded.controllers.cilium_endpoints import CiliumEndpoints
    from bgplab.backends.embedded.controllers.cilium_nodes import CiliumNodes
    from bgplab.backends.embedded.controllers.lb_ipam import LbIpam

    CiliumNodes(cluster, informers, stop)
    CiliumEndpoints(cluster, informers, stop)
    LbIpam(cluster, informers, stop, cilium_version=cilium_version)
    if bgp:
        BgpOperator(cluster, informers, stop, cilium_version=cilium_version)


def start_kubernetes_controllers(cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
    """Those of Kubernetes itself."""
    from bgplab.backends.embedded.controllers.daemon_sets import DaemonSets
    from bgplab.backends.embedded.controllers.deployments import Deployments
    from bgplab.backends.embedded.controllers.endpoint_slices import EndpointSlices
    from bgplab.backends.embedded.controllers.events import Recorder
    from bgplab.backends.embedded.controllers.legacy_endpoints import LegacyEndpoints
    from bgplab.backends.embedded.controllers.node_taints import NodeTaints
    from bgplab.backends.embedded.controllers.replica_sets import ReplicaSets
    from bgplab.backends.embedded.controllers.scheduler import Scheduler
    from bgplab.backends.embedded.controllers.taint_evictions import TaintEvictions

    recorder = Recorder(cluster, stop)
    Scheduler(cluster, informers, stop, recorder)
    Deployments(cluster, informers, stop, recorder)
    ReplicaSets(cluster, informers, stop, recorder)
    DaemonSets(cluster, informers, stop, recorder)
    NodeTaints(cluster, informers, stop)
    TaintEvictions(cluster, informers, stop, recorder)
    EndpointSlices(cluster, informers, stop)
    LegacyEndpoints(cluster, informers, stop)
