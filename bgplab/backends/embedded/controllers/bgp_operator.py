"""CiliumBGPClusterConfig → one CiliumBGPNodeConfig per selected node, and the conditions that cilium-operator sets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable, Iterable
from functools import partial
from typing import Any

from bgplab.backends.embedded.controllers.bgp_node_configs import Plan, peer_configs_of, plan_of
from bgplab.backends.embedded.controllers.conditions import Condition, with_condition
from bgplab.backends.embedded.controllers.runtime import Informer, Informers, Worker, attempt_all, key_of
from bgplab.backends.embedded.crds import stored_kind
from bgplab.lab.cluster import (
    BGP_CLUSTER_CONFIG,
    BGP_NODE_CONFIG,
    BGP_NODE_CONFIG_OVERRIDE,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    SECRET,
    Cluster,
    Manifest,
)

log = logging.getLogger(__name__)

SECRETS_NAMESPACE = "kube-system"
EVERYTHING = "BGP configurations"


class BgpOperator:
    """Looks at all BGP resources at once: they are few, and nearly every one can concern nearly every other."""

    def __init__(
        self,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        *,
        cilium_version: str,
        secrets_namespace: str = SECRETS_NAMESPACE,
    ) -> None:
        self._cluster = cluster
        self._secrets_namespace = secrets_namespace
        self._node_config_kind = stored_kind(BGP_NODE_CONFIG, cilium_version)
        self._nodes, self._secrets = informers.of(CILIUM_NODE), informers.of(SECRET)
        self._cluster_configs, self._peer_configs, self._overrides, self._node_configs = (
            informers.of(stored_kind(kind, cilium_version))
            for kind in (BGP_CLUSTER_CONFIG, BGP_PEER_CONFIG, BGP_NODE_CONFIG_OVERRIDE, BGP_NODE_CONFIG)
        )
        watched = (
            self._nodes,
            self._secrets,
            self._cluster_configs,
            self._peer_configs,
            self._overrides,
            self._node_configs,
        )
        worker = Worker("bgp-operator", self._reconcile, stop, needs=watched)
        for informer in watched:
            informer.subscribe(_when_spec_changes(worker))

    def _reconcile(self, _: Hashable) -> None:
        configs = sorted(self._cluster_configs.list(), key=_age)
        attempt_all(
            [
                *(partial(self._reconcile_config, config) for config in configs),
                *(partial(self._reconcile_peer_config, peer_config) for peer_config in self._peer_configs.list()),
            ]
        )

    def _reconcile_config(self, config: Manifest) -> None:
        overrides = {key_of(manifest)[1]: manifest for manifest in self._overrides.list()}
        plan = plan_of(config, self._nodes.list(), self._node_configs.list(), overrides)
        self._carry_out(config, plan)
        self._write_status(self._cluster_configs, config, self._cluster_config_conditions(config, plan))

    def _reconcile_peer_config(self, peer_config: Manifest) -> None:
        self._write_status(self._peer_configs, peer_config, [self._auth_secret_condition(peer_config)])

    def _carry_out(self, config: Manifest, plan: Plan) -> None:
        for node, spec in plan.wanted.items():
            self._write_node_config(config, node, spec)
        for node in plan.unwanted:
            log.info("node %s: no longer selected by %s", node, config["metadata"]["name"])
            self._cluster.delete(self._node_config_kind, node)

    def _write_node_config(self, config: Manifest, node: str, spec: dict[str, Any]) -> None:
        there = self._node_configs.get(node)
        if there is not None and there["spec"] == spec:
            return
        if there is None:
            log.info("node %s: configured by %s", node, config["metadata"]["name"])
            answer = self._cluster.create(self._new_node_config(config, node, spec))
        else:
            answer = self._cluster.replace({**there, "spec": spec})
        self._node_configs.learn(answer)

    def _new_node_config(self, config: Manifest, node: str, spec: dict[str, Any]) -> Manifest:
        owner = {
            "apiVersion": self._node_config_kind.api_version,
            "kind": BGP_CLUSTER_CONFIG.kind,
            "name": config["metadata"]["name"],
            "uid": config["metadata"]["uid"],
            "controller": True,
        }
        return {
            "apiVersion": self._node_config_kind.api_version,
            "kind": self._node_config_kind.kind,
            "metadata": {"name": node, "ownerReferences": [owner]},
            "spec": spec,
        }

    def _cluster_config_conditions(self, config: Manifest, plan: Plan) -> list[Condition]:
        present = {key_of(manifest)[1] for manifest in self._peer_configs.list()}
        missing = sorted(peer_configs_of(config) - present)
        return cluster_config_conditions(plan, missing, config["metadata"].get("generation"))

    def _auth_secret_condition(self, peer_config: Manifest) -> Condition:
        name = peer_config["spec"].get("authSecretRef")
        missing = bool(name) and self._secrets.get(name, self._secrets_namespace) is None
        return Condition(
            "cilium.io/MissingAuthSecret",
            str(missing),
            "MissingAuthSecret",
            f'Referenced Auth Secret "{name}" is missing' if missing else "",
            peer_config["metadata"].get("generation"),
        )

    def _write_status(self, informer: Informer, manifest: Manifest, wanted: Iterable[Condition]) -> None:
        status = manifest.get("status") or {}
        there = conditions = status.get("conditions") or []
        for condition in wanted:
            conditions = with_condition(conditions, condition)
        if conditions == there:
            return
        conditions = sorted(conditions, key=lambda condition: condition["type"])
        changed = {**manifest, "status": {**status, "conditions": conditions}}
        informer.learn(self._cluster.replace(changed, subresource="status"))


def cluster_config_conditions(plan: Plan, missing: Iterable[str], generation: int | None) -> list[Condition]:
    """All three are always there. Exact texts: cilium-observed.md, 3.1; NoMatchingNode keeps its text when False."""
    missing = sorted(missing)
    return [
        Condition(
            "cilium.io/ConflictingClusterConfig",
            str(bool(plan.rivals)),
            "ConflictingClusterConfigs",
            f"Selecting the same node(s) with ClusterConfig(s): [{' '.join(plan.rivals)}]" if plan.rivals else "",
            generation,
        ),
        Condition(
            "cilium.io/MissingPeerConfigs",
            str(bool(missing)),
            "MissingPeerConfigs",
            f"Referenced CiliumBGPPeerConfig(s) are missing: [{' '.join(missing)}]" if missing else "",
            generation,
        ),
        Condition(
            "cilium.io/NoMatchingNode",
            str(not plan.selects_any),
            "NoMatchingNode",
            "No node matches spec.nodeSelector",
            generation,
        ),
    ]


def _age(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"].get("creationTimestamp", ""), manifest["metadata"]["name"]


def _when_spec_changes(worker: Worker) -> Any:
    """Node configurations' statuses change every few seconds: they are the nodes' and nothing here depends on them."""

    def changed(old: Manifest | None, new: Manifest | None) -> None:
        if old is None or new is None or _without_status(old) != _without_status(new):
            worker.enqueue(EVERYTHING)

    return changed


def _without_status(manifest: Manifest) -> dict[str, Any]:
    metadata = {
        key: value for key, value in manifest["metadata"].items() if key not in ("resourceVersion", "managedFields")
    }
    return {key: value for key, value in manifest.items() if key != "status"} | {"metadata": metadata}
