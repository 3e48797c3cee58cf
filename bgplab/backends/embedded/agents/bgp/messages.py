"""Our data as GoBGP's messages and back. Every default that Cilium sets is written out."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from bgplab.backends.embedded.agents.bgp.gobgp import gobgp_pb2 as pb
from bgplab.backends.embedded.agents.bgp.model import (
    Family,
    FamilyCount,
    Peer,
    Policy,
    Prefix,
    PrefixMatch,
    Route,
    Session,
    SessionState,
    Statement,
    Timers,
    family_of,
)

#: Cilium's constant: how long a session stays down after it was reset.
IDLE_SECONDS_AFTER_RESET = 5

_ACTIONS = {"none": pb.NONE, "accept": pb.ACCEPT, "reject": pb.REJECT}
AFIS = {
    "ipv4": pb.Family.AFI_IP,
    "ipv6": pb.Family.AFI_IP6,
    "l2vpn": pb.Family.AFI_L2VPN,
    "ls": pb.Family.AFI_LS,
    "opaque": pb.Family.AFI_OPAQUE,
}
SAFIS = {
    "unicast": pb.Family.SAFI_UNICAST,
    "multicast": pb.Family.SAFI_MULTICAST,
    "mpls_label": pb.Family.SAFI_MPLS_LABEL,
    "encapsulation": pb.Family.SAFI_ENCAPSULATION,
    "vpls": pb.Family.SAFI_VPLS,
    "evpn": pb.Family.SAFI_EVPN,
    "ls": pb.Family.SAFI_LS,
    "sr_policy": pb.Family.SAFI_SR_POLICY,
    "mup": pb.Family.SAFI_MUP,
    "mpls_vpn": pb.Family.SAFI_MPLS_VPN,
    "mpls_vpn_multicast": pb.Family.SAFI_MPLS_VPN_MULTICAST,
    "route_target_constraints": pb.Family.SAFI_ROUTE_TARGET_CONSTRAINTS,
    "flowspec_unicast": pb.Family.SAFI_FLOW_SPEC_UNICAST,
    "flowspec_vpn": pb.Family.SAFI_FLOW_SPEC_VPN,
    "key_value": pb.Family.SAFI_KEY_VALUE,
}
_AFI_NAMES = {number: name for name, number in AFIS.items()}
_SAFI_NAMES = {number: name for name, number in SAFIS.items()}


def packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def family_message(family: Family) -> pb.Family:
    return pb.Family(afi=AFIS[family.afi], safi=SAFIS[family.safi])


def read_family(message: pb.Family) -> Family:
    return Family(_AFI_NAMES.get(message.afi, "unknown"), _SAFI_NAMES.get(message.safi, "unknown"))


def path_message(prefix: Prefix) -> pb.Path:
    """A path as Cilium makes it: origin IGP, next hop unspecified (the session's own address on the wire)."""
    family = family_message(family_of(prefix))
    nlri = packed(pb.IPAddressPrefix(prefix=str(prefix.network_address), prefix_len=prefix.prefixlen))
    origin = packed(pb.OriginAttribute(origin=0))
    if prefix.version == 4:
        next_hop = packed(pb.NextHopAttribute(next_hop="0.0.0.0"))
    else:
        next_hop = packed(pb.MpReachNLRIAttribute(family=family, next_hops=["::"], nlris=[nlri]))
    return pb.Path(family=family, nlri=nlri, pattrs=[origin, next_hop])


def read_route(prefix: str, message: pb.Path) -> Route:
    return Route(
        prefix=prefix,
        family=read_family(message.family),
        nlri=message.nlri_binary,
        attributes=tuple(message.pattrs_binary),
        since=_moment(message.age),
        best=message.best,
        stale=message.stale,
    )


def _moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def policy_messages(policy: Policy) -> tuple[pb.Policy, list[pb.DefinedSet]]:
    """A policy and the sets its statements refer to; names of both as Cilium forms them."""
    statements, sets = [], []
    for number, statement in enumerate(policy.statements):
        name = f"{policy.name}-{number}"
        neighbors = pb.DefinedSet(defined_type=pb.NEIGHBOR, name=f"{name}-neighbor", list=statement.neighbors)
        prefixes = pb.DefinedSet(
            defined_type=pb.PREFIX,
            name=f"{name}-prefix",
            prefixes=[
                pb.Prefix(ip_prefix=match.cidr, mask_length_min=match.shortest, mask_length_max=match.longest)
                for match in statement.prefixes
            ],
        )
        conditions = pb.Conditions(
            neighbor_set=pb.MatchSet(type=pb.MatchSet.ANY, name=neighbors.name),
            prefix_set=pb.MatchSet(type=pb.MatchSet.ANY, name=prefixes.name),
        )
        statements.append(pb.Statement(name=name, conditions=conditions, actions=_actions(statement)))
        sets += [neighbors, prefixes]
    return pb.Policy(name=policy.name, statements=statements), sets


def _actions(statement: Statement) -> pb.Actions:
    def added(communities: tuple[str, ...]) -> pb.CommunityAction | None:
        return pb.CommunityAction(type=pb.CommunityAction.ADD, communities=communities) if communities else None

    preference = statement.local_preference
    return pb.Actions(
        route_action=_ACTIONS[statement.action],
        community=added(statement.communities),
        large_community=added(statement.large_communities),
        local_pref=None if preference is None else pb.LocalPrefAction(value=preference),
    )


def read_statement(message: pb.Statement, sets: dict[str, pb.DefinedSet]) -> Statement:
    none = pb.DefinedSet()
    conditions, actions = message.conditions, message.actions
    return Statement(
        neighbors=tuple(sets.get(conditions.neighbor_set.name, none).list),
        prefixes=tuple(
            PrefixMatch(each.ip_prefix, each.mask_length_min, each.mask_length_max)
            for each in sets.get(conditions.prefix_set.name, none).prefixes
        ),
        action=next(name for name, number in _ACTIONS.items() if number == actions.route_action),
        local_preference=actions.local_pref.value if actions.HasField("local_pref") else None,
        communities=tuple(actions.community.communities),
        large_communities=tuple(actions.large_community.communities),
    )


def peer_message(peer: Peer) -> pb.Peer:
    """A peer as Cilium sets it up. Every default is written out: GoBGP resets a session when an update differs."""
    restarts = peer.restart_seconds is not None
    families = [
        pb.AfiSafi(
            config=pb.AfiSafiConfig(family=family_message(family), enabled=True),
            mp_graceful_restart=pb.MpGracefulRestart(config=pb.MpGracefulRestartConfig(enabled=restarts)),
        )
        for family in peer.families
    ]
    message = pb.Peer(
        conf=pb.PeerConf(neighbor_address=str(peer.address), peer_asn=peer.asn, auth_password=peer.password),
        timers=pb.Timers(
            config=pb.TimersConfig(
                connect_retry=peer.timers.connect_retry_seconds,
                hold_time=peer.timers.hold_seconds,
                keepalive_interval=peer.timers.keepalive_seconds,
                idle_hold_time_after_reset=IDLE_SECONDS_AFTER_RESET,
            )
        ),
        transport=pb.Transport(
            local_address=str(peer.local_address or ("0.0.0.0" if peer.address.version == 4 else "::")),
            remote_port=peer.port,
        ),
        afi_safis=families,
    )
    if peer.multihop_ttl > 1:
        message.ebgp_multihop.CopyFrom(pb.EbgpMultihop(enabled=True, multihop_ttl=peer.multihop_ttl))
    if peer.restart_seconds is not None:
        message.graceful_restart.CopyFrom(
            pb.GracefulRestart(
                enabled=True, restart_time=peer.restart_seconds, notification_enabled=True, local_restarting=True
            )
        )
    return message


def read_session(message: pb.Peer) -> Session:
    state = SessionState(message.state.session_state)
    timers, applied = message.timers.config, message.timers.state
    up = state is SessionState.ESTABLISHED
    multihop, restart = message.ebgp_multihop, message.graceful_restart
    return Session(
        local_asn=message.conf.local_asn,
        peer_asn=message.conf.peer_asn,
        address=message.conf.neighbor_address,
        port=message.transport.remote_port,
        state=state,
        established_at=_moment(applied.uptime) if up and applied.HasField("uptime") else None,
        configured=Timers(timers.connect_retry, timers.hold_time, timers.keepalive_interval),
        applied_hold_seconds=applied.negotiated_hold_time,
        applied_keepalive_seconds=applied.keepalive_interval,
        multihop_ttl=multihop.multihop_ttl if multihop.enabled else 1,
        password=bool(message.conf.auth_password),
        restart_seconds=restart.restart_time if restart.enabled else None,
        families=tuple(
            FamilyCount(read_family(state.family), state.received, state.accepted, state.advertised)
            for state in (each.state for each in message.afi_safis if each.HasField("state"))
        ),
    )
