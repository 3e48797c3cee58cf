"""Namespaces: each gets its default service account; one that is deleted takes what is in it along."""

from __future__ import annotations

from bgplab.backends.embedded.kube.errors import forbidden
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.store.item import Key, Value

FINALIZER = "kubernetes"
# those that the admission plugin NamespaceLifecycle keeps
KEPT = frozenset({"default", "kube-system", "kube-public"})


def _complete(namespace: Value) -> None:
    namespace.setdefault("spec", {}).setdefault("finalizers", [FINALIZER])
    namespace.setdefault("status", {}).setdefault("phase", "Active")
    labels = namespace["metadata"].setdefault("labels", {})
    labels.setdefault("kubernetes.io/metadata.name", namespace["metadata"]["name"])


def refuse_if_kept(name: str) -> None:
    """Raises 403 for a namespace that a cluster cannot be without."""
    if name in KEPT:
        raise forbidden("namespaces", "", name, "this namespace may not be deleted")


def is_terminating(machine: Machine, name: str) -> bool:
    item = machine.store.get(Key("namespaces", "", name))
    return item is not None and "deletionTimestamp" in item.value["metadata"]


def is_empty(machine: Machine, name: str) -> bool:
    return not any(key.namespace == name for key, _ in machine.store.everything())


NAMESPACES = Behaviour(complete=_complete)
