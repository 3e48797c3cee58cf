"""Resource -> what is particular to it."""

from __future__ import annotations

from collections.abc import Mapping

from bgplab.backends.embedded.kube.kinds.behaviour import PLAIN, Behaviour
from bgplab.backends.embedded.kube.kinds.definitions import DEFINITIONS
from bgplab.backends.embedded.kube.kinds.namespaces import NAMESPACES
from bgplab.backends.embedded.kube.kinds.pods import PODS
from bgplab.backends.embedded.kube.kinds.services import SERVICES
from bgplab.backends.embedded.kube.kinds.small import CONFIG_MAPS, ENDPOINT_SLICES, NODES, SECRETS
from bgplab.backends.embedded.kube.kinds.workloads import DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS
from bgplab.backends.embedded.kube.resources import Resource

BEHAVIOURS: Mapping[str, Behaviour] = {
    "configmaps": CONFIG_MAPS,
    "namespaces": NAMESPACES,
    "nodes": NODES,
    "pods": PODS,
    "secrets": SECRETS,
    "services": SERVICES,
    "daemonsets.apps": DAEMON_SETS,
    "deployments.apps": DEPLOYMENTS,
    "replicasets.apps": REPLICA_SETS,
    "endpointslices.discovery.k8s.io": ENDPOINT_SLICES,
    "customresourcedefinitions.apiextensions.k8s.io": DEFINITIONS,
}


def behaviour_of(resource: Resource) -> Behaviour:
    return BEHAVIOURS.get(resource.id, PLAIN)
