"""What the built-in kinds' fields default to, allow and how their lists merge: facts of the Kubernetes API reference.

Keys are `Type.field`. Defaults that depend on other fields are computed in `kinds/`.
"""

from __future__ import annotations

from typing import Any


def merged_by(key: str, *more: str) -> dict[str, Any]:
    """A list whose items are told apart by `key` (strategic merge) or `key` and `more` (server-side apply)."""
    return {
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": key,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key, *more],
    }


def one_of(*values: str, default: str | None = None) -> dict[str, Any]:
    return {"enum": list(values)} | ({"default": default} if default else {})


QUANTITY = {"type": "string", "format": "quantity"}
QUANTITY_MAP = {"type": "object", "additionalProperties": QUANTITY}
SET = {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
ATOMIC = {"x-kubernetes-map-type": "atomic"}
PROTOCOL = one_of("TCP", "UDP", "SCTP", default="TCP")
PORT = {"minimum": 1, "maximum": 65535}

QUANTITIES: dict[str, dict[str, Any]] = {
    "ResourceRequirements.limits": QUANTITY_MAP,
    "ResourceRequirements.requests": QUANTITY_MAP,
    "VolumeResourceRequirements.limits": QUANTITY_MAP,
    "VolumeResourceRequirements.requests": QUANTITY_MAP,
    "PodSpec.overhead": QUANTITY_MAP,
    "NodeStatus.capacity": QUANTITY_MAP,
    "NodeStatus.allocatable": QUANTITY_MAP,
    "ContainerStatus.allocatedResources": QUANTITY_MAP,
    "EmptyDirVolumeSource.sizeLimit": QUANTITY,
    "ResourceFieldSelector.divisor": QUANTITY,
}

CONDITIONS = merged_by("type")

FIELDS: dict[str, dict[str, Any]] = {
    "ObjectMeta.ownerReferences": merged_by("uid"),
    "ObjectMeta.finalizers": SET,
    "LabelSelector.matchExpressions": {"x-kubernetes-list-type": "atomic"},
    "LabelSelectorRequirement.operator": one_of("In", "NotIn", "Exists", "DoesNotExist"),
    # pods
    "PodSpec.containers": merged_by("name"),
    "PodSpec.initContainers": merged_by("name"),
    "PodSpec.ephemeralContainers": merged_by("name"),
    "PodSpec.volumes": {**merged_by("name"), "x-kubernetes-patch-strategy": "merge,retainKeys"},
    "PodSpec.imagePullSecrets": merged_by("name"),
    "PodSpec.hostAliases": merged_by("ip"),
    "PodSpec.topologySpreadConstraints": merged_by("topologyKey", "whenUnsatisfiable"),
    "PodSpec.schedulingGates": merged_by("name"),
    "PodSpec.readinessGates": {"x-kubernetes-list-type": "atomic"},
    "PodSpec.tolerations": {"x-kubernetes-list-type": "atomic"},
    "PodSpec.nodeSelector": ATOMIC,
    "PodSpec.restartPolicy": one_of("Always", "OnFailure", "Never", default="Always"),
    "PodSpec.dnsPolicy": one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None", default="ClusterFirst"),
    "PodSpec.schedulerName": {"default": "default-scheduler"},
    "PodSpec.terminationGracePeriodSeconds": {"default": 30, "minimum": 0},
    "PodSpec.securityContext": {"default": {}},
    "Container.ports": merged_by("containerPort", "protocol"),
    "Container.env": merged_by("name"),
    "Container.volumeMounts": merged_by("mountPath"),
    "Container.volumeDevices": merged_by("devicePath"),
    "Container.resources": {"default": {}},
    "Container.imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
    "Container.terminationMessagePath": {"default": "/dev/termination-log"},
    "Container.terminationMessagePolicy": one_of("File", "FallbackToLogsOnError", default="File"),
    "ContainerPort.protocol": PROTOCOL,
    "ContainerPort.containerPort": PORT,
    "Probe.timeoutSeconds": {"default": 1},
    "Probe.periodSeconds": {"default": 10},
    "Probe.successThreshold": {"default": 1},
    "Probe.failureThreshold": {"default": 3},
    "HTTPGetAction.scheme": one_of("HTTP", "HTTPS", default="HTTP"),
    "HTTPGetAction.path": {"default": "/"},
    "ObjectFieldSelector.apiVersion": {"default": "v1"},
    "SecretVolumeSource.defaultMode": {"default": 420},
    "SecretVolumeSource.items": {"x-kubernetes-list-type": "atomic"},
    "ConfigMapVolumeSource.defaultMode": {"default": 420},
    "DownwardAPIVolumeSource.defaultMode": {"default": 420},
    "ProjectedVolumeSource.defaultMode": {"default": 420},
    "HostPathVolumeSource.type": {"default": ""},
    "LocalObjectReference.name": {"default": ""},
    "Toleration.operator": one_of("Exists", "Equal", "Lt", "Gt"),
    "Toleration.effect": one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "TopologySpreadConstraint.whenUnsatisfiable": one_of("DoNotSchedule", "ScheduleAnyway"),
    "PodStatus.conditions": CONDITIONS,
    "PodStatus.podIPs": merged_by("ip"),
    "PodStatus.hostIPs": merged_by("ip"),
    "PodStatus.phase": one_of("Pending", "Running", "Succeeded", "Failed", "Unknown"),
    "PodStatus.containerStatuses": {"x-kubernetes-list-type": "atomic"},
    # services and endpoints
    "ServiceSpec.type": one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName", default="ClusterIP"),
    "ServiceSpec.sessionAffinity": one_of("None", "ClientIP", default="None"),
    "ServiceSpec.internalTrafficPolicy": one_of("Cluster", "Local"),
    "ServiceSpec.externalTrafficPolicy": one_of("Cluster", "Local"),
    "ServiceSpec.ipFamilyPolicy": one_of("SingleStack", "PreferDualStack", "RequireDualStack"),
    "ServiceSpec.ports": merged_by("port", "protocol"),
    "ServiceSpec.selector": ATOMIC,
    "ServiceSpec.clusterIPs": {"x-kubernetes-list-type": "atomic"},
    "ServicePort.protocol": PROTOCOL,
    "ServicePort.port": PORT,
    "ServiceStatus.conditions": CONDITIONS,
    "LoadBalancerStatus.ingress": {"x-kubernetes-list-type": "atomic"},
    "EndpointPort.protocol": {"default": "TCP"},
    "EndpointSlice.addressType": one_of("IPv4", "IPv6", "FQDN"),
    "EndpointSlice.endpoints": {"x-kubernetes-list-type": "atomic"},
    "EndpointSlice.ports": {"x-kubernetes-list-type": "atomic"},
    "Secret.type": {"default": "Opaque"},
    "ServiceAccount.secrets": merged_by("name"),
    "ServiceAccount.imagePullSecrets": merged_by("name"),
    # nodes and namespaces
    "NodeSpec.taints": {"x-kubernetes-list-type": "atomic"},
    "NodeSpec.podCIDRs": SET,
    "Taint.effect": one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "NodeStatus.conditions": CONDITIONS,
    "NodeStatus.addresses": merged_by("type"),
    "NamespaceStatus.conditions": CONDITIONS,
    # apps
    "DeploymentSpec.replicas": {"default": 1, "minimum": 0},
    "DeploymentSpec.revisionHistoryLimit": {"default": 10},
    "DeploymentSpec.progressDeadlineSeconds": {"default": 600},
    "DeploymentSpec.strategy": {"x-kubernetes-patch-strategy": "retainKeys", "default": {}},
    "DeploymentStrategy.type": one_of("Recreate", "RollingUpdate", default="RollingUpdate"),
    "DeploymentStatus.conditions": CONDITIONS,
    "ReplicaSetSpec.replicas": {"default": 1, "minimum": 0},
    "ReplicaSetStatus.conditions": CONDITIONS,
    "DaemonSetSpec.revisionHistoryLimit": {"default": 10},
    "DaemonSetSpec.updateStrategy": {"default": {}},
    "DaemonSetUpdateStrategy.type": one_of("RollingUpdate", "OnDelete", default="RollingUpdate"),
    "DaemonSetStatus.conditions": CONDITIONS,
    # custom resource definitions
    "CustomResourceDefinitionSpec.scope": one_of("Cluster", "Namespaced"),
    "CustomResourceDefinitionSpec.versions": {"x-kubernetes-list-type": "atomic"},
    "CustomResourceDefinitionStatus.conditions": CONDITIONS,
    "CustomResourceConversion.strategy": one_of("None", "Webhook"),
}
