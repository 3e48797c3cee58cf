"""`cilium` and `cilium-dbg` inside a node's agent pod: what they answer, and a clear refusal of everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any, Protocol

from bgplab.backends.embedded.agents.bgp.agent import BgpAgent
from bgplab.backends.embedded.agents.bgp.client import SpeakerError
from bgplab.backends.embedded.agents.bgp.speaker import Speaker
from bgplab.backends.embedded.agents.cilium_dbg.arguments import (
    RoutesQuery,
    UsageError,
    Words,
    parse,
    policies_asn,
    routes_query,
)
from bgplab.backends.embedded.agents.cilium_dbg.bgp_peers import peers_json, peers_table
from bgplab.backends.embedded.agents.cilium_dbg.bgp_policies import policies_json, policies_table
from bgplab.backends.embedded.agents.cilium_dbg.bgp_routes import Listed, routes_json, routes_table
from bgplab.backends.embedded.agents.cilium_dbg.endpoints import endpoints_json
from bgplab.backends.embedded.agents.cilium_dbg.nodes import known_nodes, nodes_json, nodes_table, remote_nodes
from bgplab.backends.embedded.agents.cilium_dbg.services import ServiceIds, services_json, services_table
from bgplab.backends.embedded.agents.cilium_dbg.tabwriter import laid_out
from bgplab.backends.embedded.agents.datapath import Service
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode
from bgplab.backends.embedded.agents.mesh.status import MeshStatus, RemoteStatus, status_json, status_lines
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.lab.cluster import CILIUM_NODE, POD

NAMES = ("cilium", "cilium-dbg")
DEFAULT_VERSION = "1.18.0"

Answer = tuple[int, str, str]


class Mesh(Protocol):
    """What the agent knows of other clusters."""

    def nodes(self) -> Sequence[RemoteNode]: ...

    def statuses(self) -> Sequence[RemoteStatus]: ...


class CiliumDbg:
    """One node's command. version, cluster: what `version`, `status` and `node list` say.

    mesh: None outside of one. services: what the node's data path serves. addresses: the node's own, on which node
    ports are.
    """

    def __init__(
        self,
        agent: BgpAgent,
        informers: Informers,
        node_name: str,
        version: str = DEFAULT_VERSION,
        cluster: str = "default",
        mesh: Mesh | None = None,
        services: Callable[[], Sequence[Service]] = tuple,
        addresses: Sequence[IPv4Address] = (),
    ) -> None:
        self._agent = agent
        self._informers = informers
        self._node_name = node_name
        self._version = version
        self._cluster = cluster
        self._mesh = mesh
        self._services, self._service_ids = services, ServiceIds(addresses)
        self._commands: dict[tuple[str, ...], Callable[[Words, Sequence[str]], str]] = {
            ("bgp", "peers"): self._bgp_peers,
            ("bgp", "neighbors"): self._bgp_peers,
            ("bgp", "routes"): self._bgp_routes,
            ("bgp", "route-policies"): self._bgp_policies,
            ("bgp", "rps"): self._bgp_policies,
            ("status",): self._status_of_agent,
            ("node", "list"): self._node_list,
            ("service", "list"): self._service_list,
            ("endpoint", "list"): self._endpoint_list,
            ("version",): self._version_text,
        }

    def run(self, argv: Sequence[str]) -> Answer:
        """(exit status, standard output, standard error) of a command line."""
        if not argv or argv[0] not in NAMES:
            return 127, "", f"{' '.join(argv[:1])}: command not found\n"
        if self._agent.halted:
            return 1, "", f"Error: the agent of {self._node_name} does not run\n"
        try:
            words = parse(argv[1:])
            command, rest = self._command(argv[0], words.words)
            return 0, command(words, rest), ""
        except (UsageError, SpeakerError) as fault:
            return 1, "", f"Error: {fault}\n"

    def _command(self, name: str, words: Sequence[str]) -> tuple[Callable[[Words, Sequence[str]], str], Sequence[str]]:
        for length in (2, 1):
            command = self._commands.get(tuple(words[:length]))
            if command is not None:
                return command, words[length:]
        known = ", ".join(" ".join(path) for path in self._commands)
        raise UsageError(
            f'unknown command "{" ".join(words)}" for "{name}"\nThe embedded lab\'s agent answers: {known}.'
        )

    def _bgp_peers(self, words: Words, rest: Sequence[str]) -> str:
        now = datetime.now(UTC)
        sessions = [session for speaker in self._agent.speakers for session in speaker.client.sessions()]
        return as_json(peers_json(sessions, now)) if words.json else peers_table(sessions, now)

    def _bgp_routes(self, words: Words, rest: Sequence[str]) -> str:
        query = routes_query(rest)
        listed = [route for speaker in self._with_asn(query.asn) for route in _routes(speaker, query)]
        now = datetime.now(UTC)
        if words.json:
            return as_json(routes_json(listed, now))
        return query.note + routes_table(listed, now, with_peer=query.advertised and query.peer is None)

    def _bgp_policies(self, words: Words, rest: Sequence[str]) -> str:
        speakers = self._with_asn(policies_asn(rest))
        listed = [(speaker.running.server.asn, policy) for speaker in speakers for policy in speaker.client.policies()]
        return as_json(policies_json(listed)) if words.json else policies_table(listed)

    def _with_asn(self, asn: int | None) -> list[Speaker]:
        return [speaker for speaker in self._agent.speakers if asn in (None, speaker.running.server.asn)]

    def _status_of_agent(self, words: Words, rest: Sequence[str]) -> str:
        """Only what the lab can vouch for; Cilium's own has many more lines."""
        if words.json:
            return as_json(
                {
                    "cilium": {"msg": self._version, "state": "Ok"},
                    "cluster-mesh": status_json(self._mesh_status()),
                    "kubernetes": {"state": "Ok"},
                    "kvstore": {"msg": "Disabled", "state": "Disabled"},
                }
            )
        if "brief" in words.flags:
            return "OK\n"
        lines = f"KVStore:\tDisabled\nKubernetes:\tOk\nCilium:\tOk   {self._version}\n"
        mesh = status_lines(self._mesh_status(), datetime.now(UTC), "all-clusters" in words.flags)
        return laid_out(lines + "".join(f"{line}\n" for line in mesh), minimum=2)

    def _mesh_status(self) -> MeshStatus:
        clusters = tuple(self._mesh.statuses()) if self._mesh else ()
        return MeshStatus(clusters, sum(service.is_global for service in self._services()))

    def _node_list(self, words: Words, rest: Sequence[str]) -> str:
        nodes = known_nodes(self._informers.of(CILIUM_NODE).list(), self._node_name, self._cluster)
        nodes += remote_nodes(self._mesh.nodes() if self._mesh else ())
        return as_json(nodes_json(nodes)) if words.json else nodes_table(nodes)

    def _service_list(self, words: Words, rest: Sequence[str]) -> str:
        rows = self._service_ids.rows(self._services())
        return (
            as_json(services_json(rows)) if words.json else services_table(rows, "clustermesh-affinity" in words.flags)
        )

    def _endpoint_list(self, words: Words, rest: Sequence[str]) -> str:
        if not words.json:
            raise UsageError("the embedded lab's agent lists endpoints with `-o json` only")
        return as_json(endpoints_json(self._informers.of(POD).list(), self._node_name))

    def _version_text(self, words: Words, rest: Sequence[str]) -> str:
        return f"Client: {self._version}\nDaemon: {self._version}\n"


def _routes(speaker: Speaker, query: RoutesQuery) -> list[Listed]:
    asn = speaker.running.server.asn
    if not query.advertised:
        return [Listed(asn, "", route) for route in speaker.client.routes(query.family)]
    neighbors = sorted(str(peer.address) for peer in speaker.running.peers or ())
    return [
        Listed(asn, neighbor, route)
        for neighbor in neighbors
        if query.peer in (None, neighbor)
        for route in speaker.client.routes(query.family, advertised_to=neighbor)
    ]


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
