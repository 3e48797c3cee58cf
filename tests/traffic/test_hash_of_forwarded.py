"""Connections that a router forwards for somebody else, under policy 3 with a seed: where each goes is computed ahead.

Under policy 1 a forwarded packet brings a hash of its own; under policy 3 the kernel hashes the fields it is told to.
"""

import subprocess
from collections import Counter
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from bgplab.lab.shell import Completed
from bgplab.traffic.hash_prediction import Flow, next_hop_index, packet_hash
from bgplab.traffic.probe import SOURCE, parse

CLIENT, VIP = IPv4Address("10.9.0.2"), IPv4Address("172.16.1.1")
FIELDS, FIRST_PORT, CONNECTIONS = 55, 20000, 500
WEIGHTS = {"a": 1, "b": 2, "c": 1}  # by node, in the group's order

SERVER = """
import socketserver, sys
class Name(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        body = f"Hostname: {sys.argv[1]}\\n".encode()
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
socketserver.ThreadingTCPServer.request_queue_size = 256
server = socketserver.ThreadingTCPServer(("172.16.1.1", 80), Name)
print("listening", flush=True)
server.serve_forever()
"""

#: $1 seed, $2 directory for what the prober says, $3 the prober, $4 the server. The router is the space it runs in.
SCRIPT = """
set -e
[ -e /proc/sys/net/ipv4/fib_multipath_hash_seed ] || { echo no seed; exit 0; }
mount -t tmpfs tmpfs /run
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=3 net.ipv4.fib_multipath_hash_fields=55
sysctl -qw net.ipv4.fib_multipath_hash_seed=$1
wire() {  # a name, and the first three numbers of a subnet: the router is .1, the other .2
  ip netns add $1
  ip link add to-$1 type veth peer name eth0 netns $1
  ip addr add $2.1/24 dev to-$1
  ip link set to-$1 up
  ip -n $1 addr add $2.2/24 dev eth0
  ip -n $1 link set lo up
  ip -n $1 link set eth0 up
  ip -n $1 route add default via $2.1
}
wire client 10.9.0
for node in 1:a 2:b 3:c; do
  number=${node%:*} name=${node#*:}
  wire $name 192.168.$number
  ip -n $name addr add 172.16.1.1/32 dev lo
  ip nexthop add id $number via 192.168.$number.2 dev to-$name
  nsenter --net=/run/netns/$name python3 -c "$4" $name >/run/$name.says &
  until [ -s /run/$name.says ]; do sleep 0.05; done
done
ip nexthop add id 9 group 1/2,2/3
ip route add 172.16.1.1/32 nhid 9
for run in first second; do
  nsenter --net=/run/netns/client python3 $3 --url=http://172.16.1.1/ --requests=500 --source-ports=20000-20499 >$2/$run
done
"""


@pytest.mark.parametrize("seed", [1, 4242])
def test_where_a_forwarded_connection_goes_is_computed_ahead_and_is_so_again(seed: int, tmp_path: Path) -> None:
    space = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"]
    words = [str(seed), str(tmp_path), str(SOURCE), SERVER]
    done = subprocess.run([*space, "sh", "-c", SCRIPT, "sh", *words], capture_output=True, text=True, timeout=90)
    if done.stdout.startswith("no seed"):
        pytest.skip("this kernel has no fib_multipath_hash_seed")
    assert done.returncode == 0, done.stderr
    first, second = (reached(tmp_path / run) for run in ("first", "second"))
    assert first == computed(seed)
    assert second == first
    assert set(Counter(first.values())) == set(WEIGHTS)


def computed(seed: int) -> dict[int, str]:
    """Port → node."""
    names, weights = list(WEIGHTS), list(WEIGHTS.values())

    def node(port: int) -> str:
        return names[next_hop_index(packet_hash(Flow(CLIENT, port, VIP, 80), seed, FIELDS), weights)]

    return {port: node(port) for port in range(FIRST_PORT, FIRST_PORT + CONNECTIONS)}


def reached(records: Path) -> dict[int, str]:
    """Port → the node that answered; every connection was answered."""
    probe = parse(Completed(("prober",), 0, records.read_text(), "", 0.0), "client")
    assert not probe.errors
    return dict(sorted(zip(probe.columns["source_port"], probe.columns["backend"], strict=True)))
