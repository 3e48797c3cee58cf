"""The BGP control plane of one node: what the API server holds becomes what the node's speakers run.

Level-triggered: an event only says that something may have changed; what should run is worked out from all objects
(desired.py), compared with what was told to the speakers (plan.py) and told. A speaker that dies is started anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from bgplab.backends.embedded.agents.bgp.desired import Seen, desired_state
from bgplab.backends.embedded.agents.bgp.model import Desired, Instance
from bgplab.backends.embedded.agents.bgp.speaker import Gobgpd, Speaker
from bgplab.backends.embedded.agents.bgp.status import StatusWriter
from bgplab.backends.embedded.agents.bgp.workers import CONFIGURATION, SESSIONS, STATUS, BgpWorkers
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.errors import LabError
from bgplab.lab.cluster import (
    BGP_ADVERTISEMENT,
    BGP_NODE_CONFIG,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    ENDPOINT_SLICE,
    SECRET,
    SERVICE,
    Cluster,
    Manifest,
)

log = logging.getLogger(__name__)


class BgpAgent:
    """One node's agent; works from construction until `stop` is set.

    halted: between `halt` and `resume`. stands_by: whether a process is held ready for the first instance; False for an
    agent whose BGP control plane is off. workers: shared by all agents of a cluster.
    """

    def __init__(
        self,
        node_name: str,
        host: HostHandle,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        workers: BgpWorkers,
        stands_by: bool = True,
    ) -> None:
        self.node_name = node_name
        self._host = host
        self._informers = informers
        self._stop = stop
        self._speakers: dict[str, Speaker] = {}
        self._standby: Gobgpd | None = None
        self._may_stand_by = stands_by
        self.halted = False
        self._told_unable: tuple[tuple[str, str], ...] = ()
        self._workers = workers
        self._status = StatusWriter(node_name, cluster, lambda seconds: self._enqueue(STATUS, seconds))
        self._workers.register(node_name, self._handle)
        self._enqueue(CONFIGURATION)

    @property
    def speakers(self) -> tuple[Speaker, ...]:
        """Those that run, by ASN and name of their instance."""
        alive = [speaker for speaker in self._speakers.values() if speaker.alive]
        return tuple(sorted(alive, key=lambda speaker: (speaker.running.server.asn, speaker.running.name)))

    @property
    def stands_by(self) -> bool:
        """Whether a process is held ready for the first instance."""
        return self._standby is not None

    def halt(self) -> None:
        """The agent dies: its speakers end without a word, and nothing starts them again before `resume`."""
        self.halted = True
        self.close()
        self._enqueue(CONFIGURATION)  # ends one that was being started just now

    def resume(self) -> None:
        """The agent is back: paths and policies first, peers last."""
        self.halted = False
        self._enqueue(CONFIGURATION)

    def close(self) -> None:
        """End the speakers without a word; for when the lab itself ends. Call it after `stop` was set."""
        for each in (*self._speakers.values(), self._standby):
            if each is not None:
                each.kill()

    def _enqueue(self, what: str, seconds: float = 0.0) -> None:
        self._workers.enqueue(self.node_name, what, seconds)

    def _handle(self, what: str) -> None:
        if what == CONFIGURATION:
            self._reconcile()
        elif what == SESSIONS:
            self._look_at_sessions()
        else:
            self._status.write(self._node_config())

    def _node_config(self) -> Manifest | None:
        return self._informers.of(BGP_NODE_CONFIG).get(self.node_name)

    def _seen(self) -> Seen:
        node_config = self._node_config()
        if node_config is None:
            return Seen(self.node_name)  # cheap on nodes without BGP
        secrets = (
            manifest
            for manifest in self._informers.of(SECRET).list()
            if manifest["metadata"].get("namespace") == self._workers.secrets_namespace
        )
        return Seen(
            node_name=self.node_name,
            node_config=node_config,
            node=self._informers.of(CILIUM_NODE).get(self.node_name),
            peer_configs=_by_name(self._informers.of(BGP_PEER_CONFIG).list()),
            advertisements=self._informers.of(BGP_ADVERTISEMENT).list(),
            services=self._informers.of(SERVICE).list(),
            endpoint_slices=self._informers.of(ENDPOINT_SLICE).list(),
            secrets=_by_name(secrets),
        )

    def _reconcile(self) -> None:
        if self.halted:
            self._end_all()
            return
        seen = self._seen()
        wanted = desired_state(seen)
        if wanted is None:
            return
        self._tell_unable(wanted)
        self._end_unwanted(wanted)
        faults = self._apply(wanted.instances)
        if seen.node_config is None:
            self._status.forget()
            self._stand_by()
            return
        self._status.see_object(seen.node_config)
        self._status.see_errors((*wanted.errors, *((name, str(fault)) for name, fault in faults)))
        self._enqueue(SESSIONS)  # once for this and for what the speakers say of it meanwhile
        if faults:
            raise faults[0][1]  # the worker tries again, after a growing pause

    def _tell_unable(self, wanted: Desired) -> None:
        for name, why in set(wanted.unable) - set(self._told_unable):
            log.error("%s: BGP instance %s cannot start: %s", self.node_name, name, why)
        self._told_unable = wanted.unable

    def _end_unwanted(self, wanted: Desired) -> None:
        """One that cannot be told any more what it should be is left as it is."""
        kept = {instance.name for instance in wanted.instances} | {name for name, _ in wanted.unable}
        for name in self._speakers.keys() - kept:
            log.info("%s: BGP instance %s is gone", self.node_name, name)
            self._speakers.pop(name).stop()

    def _end_all(self) -> None:
        self.close()
        self._speakers, self._standby = {}, None

    def _apply(self, instances: Iterable[Instance]) -> list[tuple[str, LabError]]:
        """Tell every instance; one that fails does not hold up the others."""
        faults = []
        for instance in instances:
            try:
                self._speaker_for(instance).apply(instance)
            except LabError as fault:
                faults.append((instance.name, fault))
        return faults

    def _speaker_for(self, instance: Instance) -> Speaker:
        """The instance's speaker; a new one when there is none, it died, or its server's parameters changed."""
        speaker = self._speakers.get(instance.name)
        if speaker is not None and speaker.alive and speaker.running.server == instance.server:
            return speaker
        if speaker is not None:
            log.info("%s: BGP instance %s starts anew", self.node_name, instance.name)
            del self._speakers[instance.name]
            if speaker.alive:
                speaker.stop()
            else:
                speaker.kill()
        gobgpd, self._standby = self._standby or Gobgpd(self._host, self._free_number()), None
        speaker = Speaker(self.node_name, gobgpd, instance.name, instance.server, self._hear)
        self._speakers[instance.name] = speaker
        return speaker

    def _stand_by(self) -> None:
        """Without BGP a process is held ready, as Cilium's agent is there before it is told to speak."""
        if self._standby is None and self._may_stand_by:
            self._standby = Gobgpd(self._host)

    def _free_number(self) -> int:
        taken = {speaker.gobgpd.number for speaker in self._speakers.values()}
        return next(number for number in range(len(taken) + 1) if number not in taken)

    def _hear(self) -> None:
        """A session changed, or a speaker died; the latter is found by looking."""
        if self._stop.is_set():
            return
        self._enqueue(SESSIONS)
        if any(not speaker.alive for speaker in list(self._speakers.values())):
            self._enqueue(CONFIGURATION)

    def _look_at_sessions(self) -> None:
        """Take what the speakers say of their sessions into the status."""
        node_config = self._node_config()
        if node_config is None or self.halted:
            return
        wanted = {instance["name"]: instance for instance in node_config["spec"].get("bgpInstances") or ()}
        self._status.keep_only(set(wanted))
        for speaker in self.speakers:
            spec = wanted.get(speaker.running.name)
            if spec is not None and spec.get("localASN") is not None:
                self._status.see_instance(spec, speaker.client.sessions())


def _by_name(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests}
