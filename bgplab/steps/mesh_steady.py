"""A steady prober in a client pod, across a change: started, and stopped when the change is over."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from bgplab.errors import LabError
from bgplab.lab.cluster import Cluster
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.mesh_load import Client
from bgplab.traffic.probe import Probe, probe_from_pod
from bgplab.traffic.records import Plan

PROBES_PER_SECOND = 100.0
#: A request that is not answered so soon has failed.
PATIENCE_SECONDS = 0.5
#: It ends by itself then, when nobody could stop it.
LONGEST_SECONDS = 240.0
STARTED_WITHIN_SECONDS = 15.0


@dataclass(frozen=True)
class SteadyProbe:
    cluster: Cluster
    client: Client
    running: Future[Probe]

    def stop(self) -> Probe:
        """End it as Ctrl-C does, and return what was measured."""
        self._exec("pkill", "-INT")
        return self.running.result(timeout=LONGEST_SECONDS)

    def is_at_work(self, opened_before: int) -> bool:
        """Whether the pod has opened connections since. Raises what ended the prober."""
        if self.running.done():
            self.running.result()
            raise LabError(f"{self.cluster.name}/{self.client.pod}: the steady prober has ended by itself")
        return connections_opened(self.cluster, self.client) > opened_before

    def _exec(self, *words: str) -> int:
        argv = [*words, "-f", "--", f"--url={self.client.url} --rate="]
        return self.cluster.exec(self.client.pod, argv, namespace=self.client.namespace, check=False).exit_status


def connections_opened(cluster: Cluster, client: Client) -> int:
    """How many TCP connections the pod has begun so far (RFC 4022, tcpActiveOpens), by its kernel."""
    text = cluster.exec(client.pod, ["cat", "/proc/net/snmp"], namespace=client.namespace).stdout
    names, values = (line.split() for line in text.splitlines() if line.startswith("Tcp:"))
    return int(values[names.index("ActiveOpens")])


def start_steady(cluster: Cluster, client: Client, rate: float = PROBES_PER_SECOND) -> SteadyProbe:
    """Start it and wait until it is at work. rate: connections per second. Raises LabError when it ends instead."""
    plan = Plan(
        client.url,
        rate=rate,
        duration=LONGEST_SECONDS,
        connect_timeout=PATIENCE_SECONDS,
        read_timeout=PATIENCE_SECONDS,
    )
    before = connections_opened(cluster, client)
    pool = ThreadPoolExecutor(1)
    running = pool.submit(probe_from_pod, cluster, client.pod, plan, namespace=client.namespace)
    pool.shutdown(wait=False)
    steady = SteadyProbe(cluster, client, running)
    within = Deadline.after(STARTED_WITHIN_SECONDS)
    wait_until(partial(steady.is_at_work, before), bool, within, f"{cluster.name}/{client.pod}: a steady prober")
    return steady


def clock_offset_ns(cluster: Cluster, client: Client) -> int:
    """The client's clock less ours: the prober's times are the client's. 0 when no difference could be told.

    Of some answers the quickest counts, as it can be wrong by half its time at most.
    """
    error, offset = min(_asked_for_time(cluster, client) for _ in range(3))
    return 0 if abs(offset) <= error else offset


def _asked_for_time(cluster: Cluster, client: Client) -> tuple[int, int]:
    before = time.time_ns()
    there = int(cluster.exec(client.pod, ["date", "+%s%N"], namespace=client.namespace).stdout)
    after = time.time_ns()
    return (after - before) // 2, there - (before + after) // 2
