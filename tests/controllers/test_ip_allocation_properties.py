"""What must hold of every allocation, whatever the pools and claims."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from bgplab.backends.embedded.controllers.ip_allocation import (
    Claim,
    Grant,
    Pool,
    allocate,
    incompatibility,
    range_of_block,
)

BLOCKS = ("10.0.0.0/30", "10.0.0.8/30", "10.0.0.16/29", "10.0.1.0/31", "10.0.0.0/28")
ADDRESSES = [ip_address(f"10.0.0.{last}") for last in range(26)]

pools_drawn = st.lists(
    st.builds(
        Pool,
        name=st.sampled_from("abc"),
        ranges=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=2).map(
            lambda cidrs: tuple(range_of_block({"cidr": cidr}, allow_first_last=False) for cidr in cidrs)
        ),
        created=st.sampled_from("12"),
        disabled=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda pool: pool.name,
)
claims_drawn = st.lists(
    st.builds(
        Claim,
        key=st.tuples(st.sampled_from(["default", "other"]), st.sampled_from("klmnop")),
        asked=st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True).map(tuple),
        sharing_key=st.sampled_from(["", "x", "y"]),
        ports=st.sampled_from([frozenset({(80, "")}), frozenset({(443, "")})]),
        policy=st.sampled_from(["Cluster", "Local"]),
        selector=st.just({"app": "webpod"}),
    ),
    max_size=6,
    unique_by=lambda claim: claim.key,
)
held_drawn = st.dictionaries(st.integers(0, 5), st.sampled_from(ADDRESSES), max_size=6)


def some_allocation(pools, claims, held) -> dict:
    before = {claims[n].key: Grant(claims[n], (address,)) for n, address in held.items() if n < len(claims)}
    return allocate(pools, claims, before)


@given(pools_drawn, claims_drawn, held_drawn)
@settings(max_examples=100, deadline=None)
def test_only_services_that_can_share_have_the_same_address(pools, claims, held):
    grants = list(some_allocation(pools, claims, held).values())
    for position, one in enumerate(grants):
        for other in grants[:position]:
            if set(one.addresses) & set(other.addresses):
                assert one.claim.sharing_key
                assert incompatibility(one.claim, other.claim) == ""


@given(pools_drawn, claims_drawn, held_drawn)
@settings(max_examples=100, deadline=None)
def test_every_address_given_lies_in_a_pool(pools, claims, held):
    for grant in some_allocation(pools, claims, held).values():
        for address in grant.addresses:
            assert any(address in block for pool in pools for block in pool.ranges)


@given(pools_drawn, claims_drawn, held_drawn)
@settings(max_examples=100, deadline=None)
def test_looking_again_changes_nothing(pools, claims, held):
    once = some_allocation(pools, claims, held)
    assert {key: grant.addresses for key, grant in allocate(pools, claims, once).items()} == {
        key: grant.addresses for key, grant in once.items()
    }


@given(pools_drawn, claims_drawn)
@settings(max_examples=100, deadline=None)
def test_the_order_of_services_does_not_matter(pools, claims):
    assert allocate(pools, claims, {}) == allocate(pools, claims[::-1], {})


@given(pools_drawn, claims_drawn)
@settings(max_examples=100, deadline=None)
def test_one_that_asks_for_nothing_is_satisfied_or_told_why(pools, claims):
    for grant in allocate(pools, [replace(claim, asked=()) for claim in claims], {}).values():
        assert bool(grant.addresses) == grant.satisfied
        assert grant.satisfied == (grant.message == "")
