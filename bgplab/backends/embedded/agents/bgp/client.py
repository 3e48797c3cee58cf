"""A GoBGP speaker's management API, as far as Cilium uses it: our data in, our data out.

All calls block for at most CALL_SECONDS and are safe from any thread. They raise SpeakerError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.experimental
from google.protobuf.message import Message

from bgplab.backends.embedded.agents.bgp.gobgp import gobgp_pb2 as pb
from bgplab.backends.embedded.agents.bgp.gobgp.gobgp_pb2_grpc import GobgpApiStub
from bgplab.backends.embedded.agents.bgp.messages import (
    family_message,
    path_message,
    peer_message,
    policy_messages,
    read_route,
    read_session,
    read_statement,
)
from bgplab.backends.embedded.agents.bgp.model import (
    Address,
    Family,
    Peer,
    Policy,
    Prefix,
    Route,
    Server,
    Session,
    SessionChange,
    SessionState,
)
from bgplab.errors import LabError

CALL_SECONDS = 5.0

#: What the neighbour is told when Cilium ends a session for new timers.
RESET_TEXT = "Peer configuration changed"


class SpeakerError(LabError):
    """A speaker refused a call or did not answer (code UNAVAILABLE: it is gone)."""

    def __init__(self, call: str, code: grpc.StatusCode, details: str) -> None:
        self.call, self.code, self.details = call, code, details
        super().__init__(f"{call}: {code.name}: {details}")


class GobgpClient:
    """One speaker, by the unix socket of its management API."""

    def __init__(self, socket: Path) -> None:
        # Proxies of the environment are none of our business, and a successor on the same path must not inherit the
        # pause after which gRPC would try its predecessor again.
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        # One thread less per watch: the reader's own thread drives the stream.
        options.append((grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1))
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=options)
        self._stub = GobgpApiStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    # The speaker itself

    def start(self, server: Server) -> None:
        """Begin to speak BGP: Cilium's options, and its import policy (accept local routes, reject all others)."""
        wanted = pb.Global(
            asn=server.asn,
            router_id=server.router_id,
            listen_port=server.listen_port,
            route_selection_options=pb.RouteSelectionOptionsConfig(advertise_inactive_routes=True),
        )
        request = pb.StartBgpRequest(**{"global": wanted})  # a keyword of Python's
        self._call("StartBgp", request)
        # Global import policies also judge the speaker's own paths.
        local = pb.Policy(
            name="allow-local",
            statements=[
                pb.Statement(
                    name="allow-local-0",
                    conditions=pb.Conditions(route_type=pb.Conditions.ROUTE_TYPE_LOCAL),
                    actions=pb.Actions(route_action=pb.ACCEPT),
                )
            ],
        )
        self._call("AddPolicy", pb.AddPolicyRequest(policy=local))
        assignment = pb.PolicyAssignment(
            name="global", direction=pb.IMPORT, policies=[pb.Policy(name="allow-local")], default_action=pb.REJECT
        )
        self._call("SetPolicyAssignment", pb.SetPolicyAssignmentRequest(assignment=assignment))

    def stop(self) -> None:
        """End all sessions with a Cease and forget everything."""
        self._call("StopBgp", pb.StopBgpRequest())

    def watch(self) -> Iterator[SessionChange]:
        """Every change of a session's state and every End-of-RIB received, from now on. Ends when the speaker does."""
        request = pb.WatchEventRequest(
            peer=pb.WatchEventRequest.Peer(),
            table=pb.WatchEventRequest.Table(
                filters=[pb.WatchEventRequest.Table.Filter(type=pb.WatchEventRequest.Table.Filter.EOR)]
            ),
        )
        return _changes(self._stub.WatchEvent(request))

    # Paths

    def add_path(self, prefix: Prefix) -> bytes:
        """Put a path of our own into the table; returns the name by which it is taken away again."""
        return bytes(self._call("AddPath", pb.AddPathRequest(path=path_message(prefix))).uuid)

    def delete_path(self, uuid: bytes) -> None:
        self._call("DeletePath", pb.DeletePathRequest(uuid=uuid))

    def routes(self, family: Family, advertised_to: str | None = None) -> list[Route]:
        """The speaker's table, or what it has sent to one peer."""
        request = pb.ListPathRequest(
            table_type=pb.LOCAL if advertised_to is None else pb.ADJ_OUT,
            name=advertised_to or "",
            family=family_message(family),
            enable_only_binary=True,
        )
        answers = self._stream("ListPath", request)
        return [read_route(answer.destination.prefix, path) for answer in answers for path in answer.destination.paths]

    # Policies

    def add_policy(self, policy: Policy) -> None:
        """Define a policy with its sets and let it judge all that is sent; what no policy accepts is not sent."""
        message, sets = policy_messages(policy)
        for defined in sets:
            self._call("AddDefinedSet", pb.AddDefinedSetRequest(defined_set=defined, replace=True))
        self._call("AddPolicy", pb.AddPolicyRequest(policy=message))
        assignment = pb.PolicyAssignment(
            name="global", direction=pb.EXPORT, policies=[pb.Policy(name=policy.name)], default_action=pb.REJECT
        )
        self._call("AddPolicyAssignment", pb.AddPolicyAssignmentRequest(assignment=assignment))

    def remove_policy(self, policy: Policy) -> None:
        message, sets = policy_messages(policy)
        # The default action is left out, as Cilium does: GoBGP keeps REJECT.
        assignment = pb.PolicyAssignment(name="global", direction=pb.EXPORT, policies=[pb.Policy(name=policy.name)])
        self._call("DeletePolicyAssignment", pb.DeletePolicyAssignmentRequest(assignment=assignment))
        self._call("DeletePolicy", pb.DeletePolicyRequest(policy=message, all=True))
        for defined in sets:
            self._call("DeleteDefinedSet", pb.DeleteDefinedSetRequest(defined_set=defined, all=True))

    def policies(self) -> list[Policy]:
        """The policies in force, sorted by name."""
        sets = {
            answer.defined_set.name: answer.defined_set
            for kind in (pb.NEIGHBOR, pb.PREFIX)
            for answer in self._stream("ListDefinedSet", pb.ListDefinedSetRequest(defined_type=kind))
        }
        directions = {
            policy.name: "import" if answer.assignment.direction == pb.IMPORT else "export"
            for answer in self._stream("ListPolicyAssignment", pb.ListPolicyAssignmentRequest())
            for policy in answer.assignment.policies
        }
        listed = [answer.policy for answer in self._stream("ListPolicy", pb.ListPolicyRequest())]
        return sorted(
            (
                Policy(each.name, tuple(read_statement(one, sets) for one in each.statements), directions[each.name])
                for each in listed
                if each.name in directions
            ),
            key=lambda policy: policy.name,
        )

    # Peers

    def add_peer(self, peer: Peer) -> None:
        self._call("AddPeer", pb.AddPeerRequest(peer=peer_message(peer)))

    def update_peer(self, peer: Peer, reset: bool) -> None:
        """Change a peer. GoBGP itself ends the session for some changes (Cease 6/6), for others we do (6/4)."""
        answer = self._call("UpdatePeer", pb.UpdatePeerRequest(peer=peer_message(peer)))
        if reset:
            self._call("ResetPeer", pb.ResetPeerRequest(address=str(peer.address), communication=RESET_TEXT))
        elif answer.needs_soft_reset_in:
            self._soft_reset(peer.address, pb.ResetPeerRequest.IN)

    def delete_peer(self, address: Address) -> None:
        self._call("DeletePeer", pb.DeletePeerRequest(address=str(address)))

    def soft_reset_out(self, address: Address) -> None:
        """Judge and send everything to a peer again."""
        self._soft_reset(address, pb.ResetPeerRequest.OUT)

    def sessions(self) -> list[Session]:
        answers = self._stream("ListPeer", pb.ListPeerRequest(enableAdvertised=True))
        return [read_session(answer.peer) for answer in answers]

    def _soft_reset(self, address: Address, direction: pb.ResetPeerRequest.SoftResetDirection) -> None:
        self._call("ResetPeer", pb.ResetPeerRequest(address=str(address), soft=True, direction=direction))

    def _call(self, name: str, request: Message) -> Any:
        try:
            return getattr(self._stub, name)(request, timeout=CALL_SECONDS)
        except (grpc.RpcError, ValueError) as fault:
            raise _fault(name, fault) from fault

    def _stream(self, name: str, request: Message) -> Iterable[Any]:
        try:
            return list(getattr(self._stub, name)(request, timeout=CALL_SECONDS))
        except (grpc.RpcError, ValueError) as fault:
            raise _fault(name, fault) from fault


def _changes(answers: Iterable[pb.WatchEventResponse]) -> Iterator[SessionChange]:
    try:
        for answer in answers:
            if answer.HasField("table"):
                yield SessionChange("", None)
            elif answer.peer.type == pb.WatchEventResponse.PeerEvent.STATE:
                peer = answer.peer.peer
                yield SessionChange(peer.conf.neighbor_address, SessionState(peer.state.session_state))
    except grpc.RpcError:  # the speaker is gone, or the channel was closed
        return


def _fault(call: str, fault: Exception) -> SpeakerError:
    """gRPC says with a ValueError that the channel has been closed: by whoever ended the speaker meanwhile."""
    if isinstance(fault, grpc.RpcError):
        return SpeakerError(call, fault.code(), fault.details())
    return SpeakerError(call, grpc.StatusCode.UNAVAILABLE, str(fault))
