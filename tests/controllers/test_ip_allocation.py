"""LB-IPAM's decisions, from literals. Texts are those of the real operator (cilium-observed.md, section 2)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from bgplab.backends.embedded.controllers.ip_allocation import (
    Claim,
    Grant,
    Pool,
    allocate,
    conflicts,
    lowest_of_smallest_gap,
    range_of_block,
    used_in,
)


def a_range(cidr: str, *, first_last: bool = False):
    return range_of_block({"cidr": cidr}, allow_first_last=first_last)


def a_pool(name: str = "pool-a", cidr: str = "172.16.1.0/24", **more) -> Pool:
    return Pool(name=name, ranges=(a_range(cidr),), **more)


def a_claim(name: str, **more) -> Claim:
    return Claim(key=("default", name), **more)


def addresses(*words: str):
    return tuple(ip_address(word) for word in words)


def given(grants, name: str) -> list[str]:
    return [str(address) for address in grants["default", name].addresses]


def test_the_first_service_gets_the_first_unreserved_address():
    grants = allocate([a_pool()], [a_claim("webpod")], {})
    assert given(grants, "webpod") == ["172.16.1.1"]
    assert grants["default", "webpod"].satisfied


def test_first_and_last_are_given_when_the_pool_allows_it():
    pool = Pool("pool-a", (a_range("172.16.1.0/24", first_last=True),))
    assert given(allocate([pool], [a_claim("webpod")], {}), "webpod") == ["172.16.1.0"]


@pytest.mark.parametrize(
    ("block", "total", "used"),
    [
        ({"cidr": "172.16.1.0/24"}, 256, 2),
        ({"cidr": "10.0.0.0/30"}, 4, 2),
        ({"cidr": "10.0.0.0/31"}, 2, 0),
        ({"cidr": "10.0.0.7/32"}, 1, 0),
        ({"start": "10.0.0.1", "stop": "10.0.0.9"}, 9, 0),
        ({"start": "10.0.0.1"}, 1, 0),
    ],
)
def test_reserved_addresses_count_as_used(block, total, used):
    block_range = range_of_block(block, allow_first_last=False)
    pool = Pool("pool-a", (block_range,))
    assert (block_range.size, used_in(pool, [])) == (total, used)


def test_host_bits_of_a_block_are_masked_off():
    block = a_range("172.16.1.200/28")
    assert str(block.first) == "172.16.1.192"
    assert str(lowest_of_smallest_gap(block, ())) == "172.16.1.193"


@pytest.mark.parametrize("block", [{}, {"start": "10.0.0.9", "stop": "10.0.0.1"}, {"start": "10.0.0.1", "stop": "::1"}])
def test_a_block_without_addresses_is_refused(block):
    with pytest.raises(ValueError):
        range_of_block(block, allow_first_last=True)


def test_single_holes_are_filled_first():
    taken = addresses(*(f"172.16.1.{last}" for last in (1, 3, 5)))
    assert str(lowest_of_smallest_gap(a_range("172.16.1.0/24"), taken)) == "172.16.1.2"


def test_the_smallest_free_block_is_used_not_the_first():
    taken = addresses("172.16.1.102", "172.16.1.105", "172.16.1.110")
    assert str(lowest_of_smallest_gap(a_range("172.16.1.0/24"), taken)) == "172.16.1.103"


def test_a_freed_neighbour_merges_with_the_rest():
    taken = addresses("172.16.1.1", "172.16.1.2")
    assert str(lowest_of_smallest_gap(a_range("172.16.1.0/24"), taken)) == "172.16.1.3"


def test_a_full_range_has_no_next_address():
    assert lowest_of_smallest_gap(a_range("10.0.0.0/30"), addresses("10.0.0.1", "10.0.0.2")) is None


@pytest.mark.parametrize(
    ("claim", "reason", "message"),
    [
        (
            a_claim("new", asked=addresses("172.16.2.5")),
            "no_pool",
            "No pool exists with a CIDR containing '172.16.2.5'",
        ),
        (
            a_claim("new", asked=addresses("172.16.1.1")),
            "already_allocated",
            "The IP '172.16.1.1' is already allocated to another service",
        ),
        (
            a_claim("new", asked=addresses("172.16.1.255")),
            "already_allocated",
            "The IP '172.16.1.255' is already allocated to another service",
        ),
        (
            a_claim("new", asked=addresses("10.0.0.9")),
            "pool_selector_mismatch",
            "The pool with the CIDR containing '10.0.0.9', doesn't select this service",
        ),
    ],
)
def test_an_asked_address_is_refused_with_the_operators_words(claim, reason, message):
    picky = Pool("picky", (a_range("10.0.0.0/24"),), selector={"matchLabels": {"color": "blue"}})
    webpod = a_claim("webpod")
    before = {webpod.key: Grant(webpod, addresses("172.16.1.1"))}
    grant = allocate([a_pool(), picky], [webpod, claim], before)[claim.key]
    assert (grant.addresses, grant.reason, grant.message) == ((), reason, message)


def test_an_exhausted_pool_says_so():
    pool = a_pool(cidr="10.0.0.0/30")
    grants = allocate([pool], [a_claim(name) for name in "abc"], {})
    assert grants["default", "c"].reason == "out_of_ips"
    assert grants["default", "c"].message == (
        "All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs"
    )


@pytest.mark.parametrize("pool", [a_pool(disabled=True), a_pool(selector={"matchLabels": {"color": "blue"}})])
def test_without_a_usable_pool_there_is_no_address(pool):
    grant = allocate([pool], [a_claim("webpod")], {})["default", "webpod"]
    assert grant.reason == "no_pool"
    assert grant.message == "There are no enabled CiliumLoadBalancerIPPools that match this service"


def test_a_disabled_pool_leaves_what_it_gave():
    webpod = a_claim("webpod")
    before = {webpod.key: Grant(webpod, addresses("172.16.1.7"))}
    assert given(allocate([a_pool(disabled=True)], [webpod], before), "webpod") == ["172.16.1.7"]


def test_a_service_can_be_selected_by_its_namespace():
    pool = a_pool(selector={"matchLabels": {"io.kubernetes.service.namespace": "default"}})
    claim = a_claim("webpod", labels={"io.kubernetes.service.namespace": "default"})
    assert given(allocate([pool], [claim], {}), "webpod") == ["172.16.1.1"]


def test_asked_addresses_are_given_in_the_order_asked():
    claim = a_claim("webpod", asked=addresses("172.16.1.9", "172.16.1.5"))
    assert given(allocate([a_pool()], [claim], {}), "webpod") == ["172.16.1.9", "172.16.1.5"]


def test_one_good_and_one_bad_address_is_given_and_false():
    claim = a_claim("webpod", asked=addresses("172.16.1.9", "172.16.9.9"))
    grants = allocate([a_pool()], [claim], {})
    assert given(grants, "webpod") == ["172.16.1.9"]
    assert grants["default", "webpod"].reason == "no_pool"


def test_an_annotation_taken_away_keeps_the_asked_address():
    asked = a_claim("webpod", asked=addresses("172.16.1.9"))
    before = allocate([a_pool()], [asked], {})
    assert given(allocate([a_pool()], [replace(asked, asked=())], before), "webpod") == ["172.16.1.9"]


def test_a_changed_annotation_moves_the_service():
    asked = a_claim("webpod", asked=addresses("172.16.1.9"))
    before = allocate([a_pool()], [asked], {})
    moved = replace(asked, asked=addresses("172.16.1.20"))
    assert given(allocate([a_pool()], [moved], before), "webpod") == ["172.16.1.20"]


def test_an_address_outside_all_pools_is_taken_away():
    webpod = a_claim("webpod")
    before = {webpod.key: Grant(webpod, addresses("192.0.2.1"))}
    assert given(allocate([a_pool()], [webpod], before), "webpod") == ["172.16.1.1"]


def test_satisfied_services_keep_theirs_when_an_older_one_waits():
    old, new = a_claim("old", created="1"), a_claim("new", created="2")
    before = {new.key: Grant(new, addresses("172.16.1.1")), old.key: Grant(old, (), "no_pool")}
    grants = allocate([a_pool()], [old, new], before)
    assert (given(grants, "new"), given(grants, "old")) == (["172.16.1.1"], ["172.16.1.2"])


HTTP, HTTPS = frozenset({(80, "")}), frozenset({(443, "")})


def test_a_sharing_key_shares_one_address():
    one, two = (a_claim(name, sharing_key="k", ports=ports) for name, ports in (("one", HTTP), ("two", HTTPS)))
    grants = allocate([a_pool()], [one, two], {})
    assert given(grants, "one") == given(grants, "two") == ["172.16.1.1"]


def test_services_that_cannot_share_silently_get_their_own():
    one, two = (a_claim(name, sharing_key="k", ports=HTTP) for name in ("one", "two"))
    grants = allocate([a_pool()], [one, two], {})
    assert given(grants, "two") == ["172.16.1.2"]
    assert grants["default", "two"].satisfied


def test_of_two_services_that_collide_the_changed_one_moves():
    one, two = (a_claim(name, sharing_key="k", ports=ports) for name, ports in (("one", HTTP), ("two", HTTPS)))
    before = allocate([a_pool()], [one, two], {})
    grants = allocate([a_pool()], [replace(one, ports=HTTPS), two], before)
    assert (given(grants, "one"), given(grants, "two")) == (["172.16.1.2"], ["172.16.1.1"])


@pytest.mark.parametrize(
    ("difference", "why"),
    [
        ({"ports": HTTP}, "same port"),
        ({"sharing_key": "other"}, "different sharing key"),
        ({"policy": "Local"}, "different ExternalTrafficPolicy"),
        ({"key": ("elsewhere", "two")}, "different and not permitted namespace"),
    ],
)
def test_an_asked_address_held_by_an_incompatible_service_says_why(difference, why):
    one = a_claim("one", sharing_key="k", ports=HTTP)
    two = replace(a_claim("two", sharing_key="k", ports=HTTPS, asked=addresses("172.16.1.1")), **difference)
    before = {one.key: Grant(one, addresses("172.16.1.1"))}
    grant = allocate([a_pool()], [one, two], before)[two.key]
    assert grant.reason == "already_allocated_incompatible_service"
    assert grant.message == f"The IP '172.16.1.1' is already allocated to an incompatible service. Reason: {why}"


def test_from_1_19_on_the_protocol_counts():
    one = a_claim("one", sharing_key="k", ports=frozenset({(80, "TCP")}))
    two = a_claim("two", sharing_key="k", ports=frozenset({(80, "UDP")}))
    grants = allocate([a_pool()], [one, two], {})
    assert given(grants, "one") == given(grants, "two")


def test_namespaces_share_when_both_permit_it():
    one = replace(a_claim("one", sharing_key="k", ports=HTTP), shared_with=frozenset("*"))
    two = Claim(key=("other", "two"), sharing_key="k", ports=HTTPS, shared_with=frozenset({"default"}))
    grants = allocate([a_pool()], [one, two], {})
    assert grants[one.key].addresses == grants[two.key].addresses


def test_two_families_are_given_ipv4_first():
    six = Pool("six", (range_of_block({"cidr": "2001:db8::/120"}, allow_first_last=False),))
    grants = allocate([six, a_pool()], [a_claim("webpod", families=(4, 6))], {})
    assert given(grants, "webpod") == ["172.16.1.1", "2001:db8::1"]


def test_a_family_that_is_lost_leaves_the_other_and_says_no_pool():
    claim = a_claim("webpod", families=(4, 6))
    before = {claim.key: Grant(claim, addresses("172.16.1.1", "2001:db8::1"))}
    grants = allocate([a_pool()], [claim], before)
    assert (given(grants, "webpod"), grants[claim.key].reason) == (["172.16.1.1"], "no_pool")


def test_of_two_overlapping_pools_the_newer_is_in_conflict():
    elder, newer = a_pool("pool-a", created="1"), a_pool("pool-b", "172.16.1.128/25", created="2")
    found = conflicts([newer, elder])
    assert list(found) == ["pool-b"]
    assert str(found["pool-b"]) == (
        "Pool conflicts since range '172.16.1.128 - 172.16.1.255' overlaps range "
        "'172.16.1.0 - 172.16.1.255' from IP Pool 'pool-a'"
    )


def test_overlap_inside_one_pool_names_the_pool_itself():
    pool = Pool("pool-a", (a_range("10.0.0.0/24"), a_range("10.0.0.128/25")))
    assert conflicts([pool])["pool-a"].other_pool == "pool-a"


def test_a_pool_in_conflict_hands_out_nothing():
    pool = Pool("pool-a", (a_range("10.0.0.0/24"), a_range("10.0.0.128/25")))
    assert allocate([pool], [a_claim("webpod")], {})["default", "webpod"].reason == "no_pool"
