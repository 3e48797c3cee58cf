"""Whose an object is: owners claim by their selector (Kubernetes' ControllerRefManager).

What an owner controls and its selector no longer takes is released; what nobody controls and its selector takes is
adopted, unless one of both is on its way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bgplab.backends.embedded.controllers.pods import controller_of, controller_reference, is_terminating
from bgplab.backends.embedded.controllers.runtime import Informer, Key, key_of
from bgplab.backends.embedded.controllers.selectors import matches
from bgplab.lab.cluster import ApiError, Cluster, Kind, Manifest


def claimed(
    cluster: Cluster, kind: Kind, owner: Manifest, objects: Informer, among: Iterable[Manifest] | None = None
) -> list[Manifest]:
    """What the owner, of this kind, controls now, of its namespace's objects (or those `among` them).

    Raises ApiError when somebody else changes them at the same time; the next look decides anew.
    """
    mine, orphans, strangers = [], [], []
    for one in objects.list() if among is None else among:
        controller = controller_of(one)
        if not _same_namespace(owner, one) or (controller and controller["uid"] != owner["metadata"]["uid"]):
            continue
        if selects(owner, one):
            if controller:
                mine.append(one)
            elif not is_terminating(one):
                orphans.append(one)
        elif controller:
            strangers.append(one)
    for one in strangers:
        _patch_owners(cluster, objects, one, {"$patch": "delete", "uid": owner["metadata"]["uid"]})
    # The cache may still show an owner that is gone: what `--cascade=orphan` left must not be given to its shadow.
    if orphans and _lives(cluster.get(kind, owner["metadata"]["name"], owner["metadata"]["namespace"]), owner):
        adopted = (_patch_owners(cluster, objects, one, controller_reference(owner)) for one in orphans)
        mine += [one for one in adopted if one is not None]
    return mine


def selects(owner: Manifest, one: Manifest) -> bool:
    return matches(owner["spec"]["selector"], one["metadata"].get("labels") or {})


def is_claimable(owner: Manifest, one: Manifest) -> bool:
    """Whether it is the owner's, or could be."""
    controller = controller_of(one)
    if controller:
        return bool(controller["uid"] == owner["metadata"]["uid"])
    return selects(owner, one) and not is_terminating(one)


def concerned(kind: Kind, old: Manifest | None, new: Manifest | None, owners: Informer) -> Iterator[Key]:
    """Which owners of a kind to look at after an object changed: what controls it, what did, and who could adopt it."""
    before, after = (controller_of(one) if one else None for one in (old, new))
    namespace = (new or old or {})["metadata"]["namespace"]
    names = {controller["name"] for controller in (before, after) if controller and controller["kind"] == kind.kind}
    if new is not None and after is None and (before is not None or _labels(old) != _labels(new)):
        names |= {
            owner["metadata"]["name"] for owner in owners.list() if _same_namespace(owner, new) and selects(owner, new)
        }
    yield from ((namespace, name) for name in names)


def _labels(one: Manifest | None) -> dict[str, str] | None:
    return (one["metadata"].get("labels") or {}) if one else None


def _same_namespace(one: Manifest, other: Manifest) -> bool:
    return bool(one["metadata"]["namespace"] == other["metadata"]["namespace"])


def _lives(present: Manifest | None, owner: Manifest) -> bool:
    return (
        present is not None and present["metadata"]["uid"] == owner["metadata"]["uid"] and not is_terminating(present)
    )


def _patch_owners(cluster: Cluster, objects: Informer, one: Manifest, reference: Manifest) -> Manifest | None:
    """One reference set or taken away, on this very object; None when it is gone (or another has its name by now)."""
    namespace, name = key_of(one)
    patch = {"metadata": {"uid": one["metadata"]["uid"], "ownerReferences": [reference]}}
    try:
        answer = cluster.patch(objects.kind, name, patch, namespace, type="strategic")
    except ApiError as refusal:
        if refusal.code == 404:
            return None
        raise
    objects.learn(answer)
    return answer
