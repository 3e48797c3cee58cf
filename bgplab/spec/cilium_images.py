"""Names of Cilium's images."""

from __future__ import annotations

AGENT_IMAGE = "quay.io/cilium/cilium"
OPERATOR_IMAGE = "quay.io/cilium/operator-generic"
APISERVER_IMAGE = "quay.io/cilium/clustermesh-apiserver"
