"""All steps in the guide's order: what a flow runs, and what `--dry-run` prints."""

from __future__ import annotations

from bgplab.spec.model import LabSpec
from bgplab.steps import bgp_resources, ecmp, load_balancer, peering, pod_routes, sample_app, traffic_policy
from bgplab.steps.outcome import Step

_IN_ORDER = (
    Step("G03", "sample application", sample_app.plan, sample_app.deploy_app),
    Step("G07", "router's BGP configuration", peering.plan_base, peering.configure_base),
    Step("G08", "neighbours in FRR", peering.plan_peers, peering.add_peers),
    Step("G09", "restart FRR", peering.plan_restart, peering.restart_frr),
    Step("G10", "label nodes", bgp_resources.plan_labels, bgp_resources.label_nodes),
    Step("G11", "BGP resources", bgp_resources.plan_resources, bgp_resources.apply_bgp_resources),
    Step("G15", "routes to pods", pod_routes.plan, pod_routes.add_pod_routes),
    Step("G18", "address pool", load_balancer.plan_pool, load_balancer.create_pool),
    Step("G19", "Service of type LoadBalancer", load_balancer.plan_type, load_balancer.make_load_balancer),
    Step("G21", "advertise the Service", load_balancer.plan_advertisement, load_balancer.advertise_service),
    Step("G24", "traffic policy Local", traffic_policy.plan_policy, traffic_policy.set_policy),
    Step("G26", "scale down and back", traffic_policy.plan_move, traffic_policy.move_pods),
    Step("G28", "hash policy", ecmp.plan, ecmp.set_hash_policy),
)

STEPS: dict[str, Step] = {step.id: step for step in _IN_ORDER}


def dry_run(spec: LabSpec) -> dict[str, list[str]]:
    """The commands of every step, by id, without a lab."""
    return {step.id: step.plan(spec) for step in STEPS.values()}
