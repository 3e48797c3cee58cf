import json
import subprocess
from collections import Counter
from ipaddress import IPv4Address

import pytest

from bgplab.observe.witnesses import parse_ways
from bgplab.traffic.hash_prediction import Flow, fields_hashed, multipath_hash, next_hop_index, packet_hash, siphash24

ROUTER, VIP = IPv4Address("192.168.10.200"), IPv4Address("172.16.1.1")


def flow(port=20000, source=ROUTER):
    return Flow(source, port, VIP, 80)


def test_siphash_gives_its_papers_own_test_vector():
    key0, key1 = (int.from_bytes(bytes(part), "little") for part in (range(8), range(8, 16)))
    assert siphash24(bytes(range(15)), key0, key1) == 0xA129CA6149BE45E5


def test_siphash_of_nothing_is_the_reference_implementations():
    key0, key1 = (int.from_bytes(bytes(part), "little") for part in (range(8), range(8, 16)))
    assert siphash24(b"", key0, key1).to_bytes(8, "little").hex() == "310e0edd47db6f72"


def test_both_directions_of_a_connection_hash_alike():
    back = Flow(VIP, 80, ROUTER, 20000)
    assert multipath_hash(flow(), 7, 0x37) == multipath_hash(back, 7, 0x37)


def test_policy_0_does_not_see_ports():
    hashes = {multipath_hash(flow(port), 7, fields_hashed(0, 7)) for port in range(20000, 20100)}
    assert len(hashes) == 1


def test_policy_3_hashes_the_fields_it_is_given():
    assert [fields_hashed(policy, 55) for policy in (0, 1, 2, 3)] == [0x3, 0x37, None, 55]


def test_many_ports_spread_as_the_weights_say():
    hops = Counter(next_hop_index(multipath_hash(flow(port), 7, 0x37), [3, 1]) for port in range(1, 8001))
    assert 0.73 < hops[0] / 8000 < 0.77


def test_bounds_reach_from_the_smallest_hash_to_the_largest():
    assert (next_hop_index(0, [1, 1, 1]), next_hop_index((1 << 31) - 1, [1, 1, 1])) == (0, 2)


@pytest.mark.parametrize("seed", [0, -1, 1 << 32])
def test_a_random_seed_foretells_nothing(seed):
    with pytest.raises(ValueError, match="a hash seed is"):
        multipath_hash(flow(), seed, 0x37)


def test_without_a_next_hop_there_is_nothing_to_choose():
    with pytest.raises(ValueError, match="next hops"):
        next_hop_index(5, [])


WEIGHTS = {"192.168.10.100": 1, "192.168.10.101": 2, "192.168.10.102": 1}
SCRIPT = """
set -e
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 192.168.10.200/24 dev v0
ip link set v0 up; ip link set v1 up
for i in 100 101 102; do
  ip nexthop add id $i via 192.168.10.$i dev v0
  ip neigh add 192.168.10.$i lladdr 02:00:00:00:00:01 dev v0
done
ip nexthop add id 200 group 100/101,2/102
ip route add 172.16.1.1/32 nhid 200
sysctl -qw net.ipv4.fib_multipath_hash_policy=$1 net.ipv4.fib_multipath_hash_fields=55
[ -e /proc/sys/net/ipv4/fib_multipath_hash_seed ] || { echo no seed; exit 0; }
sysctl -qw net.ipv4.fib_multipath_hash_seed=$2
ip -j -batch -
"""


@pytest.mark.parametrize("policy", [0, 1, 3])
@pytest.mark.parametrize("seed", [1, 4242, 4294967295])
def test_the_kernel_takes_the_next_hop_that_was_computed(policy, seed):
    ports = range(20000, 20200)
    asked = "".join(f"route get {VIP} from {ROUTER} ipproto tcp sport {port} dport 80\n" for port in ports)
    space = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", SCRIPT, "sh", str(policy), str(seed)]
    done = subprocess.run(space, input=asked, capture_output=True, text=True, timeout=30)
    if done.stdout.startswith("no seed"):
        pytest.skip("this kernel has no fib_multipath_hash_seed")
    assert done.returncode == 0, done.stderr
    fields = fields_hashed(policy, 55)
    hops, weights = list(WEIGHTS), list(WEIGHTS.values())
    hashed = packet_hash if policy == 3 else multipath_hash  # `ip route get` asks for a packet
    computed = [hops[next_hop_index(hashed(flow(port), seed, fields), weights)] for port in ports]
    assert [str(via) for via in parse_ways(done.stdout)] == computed


def test_answers_of_the_kernel_are_read_whatever_stands_between_them():
    one = json.dumps([{"dst": "172.16.1.1", "gateway": "192.168.10.100"}])
    local = json.dumps([{"type": "local", "dst": "127.0.0.1"}])
    assert parse_ways(f"{one}\n{local}{one}  \n") == [
        IPv4Address("192.168.10.100"),
        None,
        IPv4Address("192.168.10.100"),
    ]
