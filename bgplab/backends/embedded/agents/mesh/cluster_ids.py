"""Which cluster ids an agent has met: an id stands for one cluster only, in the whole mesh (Cilium, clusterid.go)."""

from __future__ import annotations

import threading

from bgplab.backends.embedded.agents.mesh.etcd_messages import EtcdError
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteConfig

MAX_CONNECTED_CLUSTERS = 255


class ClusterIds:
    """Ids in use by this agent: its own, and each remote's once that has told it. Thread-safe."""

    def __init__(self, own: int) -> None:
        self._own = own
        self._holders: dict[int, str] = {}
        self._lock = threading.Lock()

    def reserve(self, cluster: str, config: RemoteConfig) -> None:
        """Take a remote's id for it. Raises EtcdError in Cilium's words; then the remote is not used."""
        number = config.cluster_id
        if config.max_connected_clusters != MAX_CONNECTED_CLUSTERS:
            raise EtcdError(
                f"mismatched MaxConnectedClusters; local={MAX_CONNECTED_CLUSTERS},"
                f" remote={config.max_connected_clusters}"
            )
        if number == 0:
            raise EtcdError("ClusterID 0 is reserved")
        if number > MAX_CONNECTED_CLUSTERS:
            raise EtcdError(f"ClusterID > {MAX_CONNECTED_CLUSTERS} is not supported")
        with self._lock:
            if number == self._own or self._holders.get(number, cluster) != cluster:
                raise EtcdError(f"clusterID {number} is already used")
            self._give_back(cluster)
            self._holders[number] = cluster

    def release(self, cluster: str) -> None:
        with self._lock:
            self._give_back(cluster)

    def _give_back(self, cluster: str) -> None:
        self._holders = {number: holder for number, holder in self._holders.items() if holder != cluster}
