"""Steps that type on hosts: they change what is not so, leave what is, and say which commands they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_seams import FakeHost, fake_lab

from bgplab.errors import DeadlineExceeded
from bgplab.lab.waiting import Deadline
from bgplab.observe.sysctl import HashPolicyRestored
from bgplab.spec.derived import pod_route
from bgplab.spec.loading import load_lab
from bgplab.steps import ecmp, peering, pod_routes
from bgplab.steps.all import STEPS, dry_run
from bgplab.steps.pod_routes import add_route, hook_script

GUIDE = load_lab(Path(__file__).parents[2] / "deployments" / "labs" / "guide.yaml")


def soon() -> Deadline:
    return Deadline.after(0.3)


def test_the_base_configuration_is_typed_once() -> None:
    lab, router, _ = fake_lab(GUIDE)
    assert peering.configure_base(lab, GUIDE, soon()).outcome == "changed"
    assert {"network 10.10.1.0/24", "maximum-paths 4", "bgp graceful-restart"} <= set(router.lines)
    assert peering.configure_base(lab, GUIDE, soon()).outcome == "already"


def test_a_missing_line_is_mended() -> None:
    lab, router, _ = fake_lab(GUIDE)
    peering.configure_base(lab, GUIDE, soon())
    router.lines.remove("bgp bestpath as-path multipath-relax")
    assert peering.configure_base(lab, GUIDE, soon()).outcome == "changed"
    assert "bgp bestpath as-path multipath-relax" in router.lines


def test_network_lines_are_typed_inside_the_address_family() -> None:
    typed = peering.base_commands(GUIDE.routers[0])
    assert typed.index("bgp graceful-restart") < typed.index("address-family ipv4 unicast")
    assert typed.index("address-family ipv4 unicast") < typed.index("network 10.10.1.0/24")


def test_peers_are_added_in_one_vtysh_session_and_saved() -> None:
    lab, router, _ = fake_lab(GUIDE)
    peering.configure_base(lab, GUIDE, soon())
    router.commands.clear()
    assert peering.add_peers(lab, GUIDE, soon()).outcome == "changed"
    (typed,) = [line for line in router.commands if "write memory" in line]
    assert "neighbor 192.168.20.100 peer-group CILIUM" in typed
    assert peering.add_peers(lab, GUIDE, soon()).outcome == "already"


def test_peers_that_were_never_saved_are_saved() -> None:
    lab, router, _ = fake_lab(GUIDE)
    peering.configure_base(lab, GUIDE, soon())
    before = router.config()
    peering.add_peers(lab, GUIDE, soon())
    router.files["/etc/frr/frr.conf"] = before
    assert peering.add_peers(lab, GUIDE, soon()).outcome == "changed"


def test_frr_is_restarted_only_when_its_configuration_is_newer() -> None:
    lab, router, _ = fake_lab(GUIDE)
    peering.configure_base(lab, GUIDE, soon())
    peering.add_peers(lab, GUIDE, soon())
    assert peering.restart_frr(lab, GUIDE, soon()).outcome == "changed"
    assert peering.restart_frr(lab, GUIDE, soon()).outcome == "already"
    assert router.commands.count("systemctl restart frr") == 1


def test_every_node_gets_its_own_route_live_and_persistent() -> None:
    lab, _, _ = fake_lab(GUIDE)
    outcome = pod_routes.add_pod_routes(lab, GUIDE, soon())
    assert outcome.what == "172.20.0.0/16 via the router on k8s-ctr, k8s-w1, k8s-w0"
    host = lab.hosts["k8s-w0"]
    assert isinstance(host, FakeHost)
    assert {"dst": "172.20.0.0/16", "gateway": "192.168.20.200", "dev": "eth1"} in host.routes
    assert "ip route replace 172.20.0.0/16 via 192.168.20.200" in host.files["/etc/network/if-up.d/bgp-lab-routes"]
    assert pod_routes.add_pod_routes(lab, GUIDE, soon()).outcome == "already"


def test_a_route_that_is_live_but_not_persistent_is_made_so() -> None:
    host, route = FakeHost("k8s-w0"), pod_route(GUIDE, GUIDE.cluster.nodes[2])
    host.routes.append({"dst": "172.20.0.0/16", "gateway": "192.168.20.200", "dev": "eth1"})
    assert add_route(host, route, soon())
    assert not add_route(host, route, soon())


def test_a_route_that_does_not_appear_ends_with_what_was_last_seen() -> None:
    class Stubborn(FakeHost):
        def answer(self, argv: list[str], stdin: str) -> tuple[int, str]:
            return (0, "") if argv[0] == "sh" else super().answer(argv, stdin)

    with pytest.raises(DeadlineExceeded, match=r"k8s-w0: 172\.20\.0\.0/16 via .*: not so within .*'0\.0\.0\.0/0'"):
        add_route(Stubborn("k8s-w0"), pod_route(GUIDE, GUIDE.cluster.nodes[2]), soon())


def test_the_hook_never_fails_an_interface() -> None:
    assert hook_script(pod_route(GUIDE, GUIDE.cluster.nodes[0])).splitlines()[-1].endswith("|| true")


def test_the_hash_policy_is_set_proved_and_then_left_alone() -> None:
    lab, router, _ = fake_lab(GUIDE)
    outcome = ecmp.set_hash_policy(lab, GUIDE, soon())
    assert (outcome.outcome, outcome.evidence) == ("changed", (HashPolicyRestored({"router": 1}),))
    assert ecmp.set_hash_policy(lab, GUIDE, soon()).outcome == "already"
    router.policy = "0"
    assert ecmp.set_hash_policy(lab, GUIDE, soon()).outcome == "changed"


def test_policy_3_comes_with_fields_that_have_ports() -> None:
    typed = "\n".join(ecmp.plan(load_lab("guide", {"ecmp.hash_policy": "3"})))
    assert "sysctl -w net.ipv4.fib_multipath_hash_policy=3 net.ipv4.fib_multipath_hash_fields=55" in typed
    assert typed.count("net.ipv4.fib_multipath_hash_fields = 55") == 1
    assert "hash_fields" not in "\n".join(ecmp.plan(GUIDE))


def test_a_second_line_that_sets_the_hash_policy_is_commented_out() -> None:
    lab, router, _ = fake_lab(GUIDE)
    router.policy_files = {"/etc/sysctl.conf": "0"}
    ecmp.set_hash_policy(lab, GUIDE, soon())
    (typed,) = [line for line in router.commands if "sysctl --system" in line]
    assert "# bgp-lab: &" in typed and "/etc/sysctl.conf" in typed


def test_a_dry_run_says_the_guides_commands_without_a_lab() -> None:
    said = {id: "\n".join(lines) for id, lines in dry_run(GUIDE).items()}
    assert list(said) == list(STEPS)
    assert "neighbor 192.168.20.100 peer-group CILIUM" in said["G08"]
    assert "ssh router 'sudo systemctl restart frr'" in said["G09"]
    assert "kubectl label nodes k8s-ctr k8s-w1 k8s-w0 enable-bgp=true" in said["G10"]
    assert "kind: CiliumBGPClusterConfig" in said["G11"]
    assert "ssh k8s-w0 'sudo ip route replace 172.20.0.0/16 via 192.168.20.200'" in said["G15"]
    assert hook_script(pod_route(GUIDE, GUIDE.cluster.nodes[0])) in said["G15"]  # and what keeps it
    assert 'kubectl patch svc webpod -p \'{"spec": {"externalTrafficPolicy": "Local"}}\'' in said["G24"]
    assert "kubectl scale deployment webpod --replicas 2" in said["G26"]
    assert "net.ipv4.fib_multipath_hash_policy=1" in said["G28"]
