"""Access reviews of oneself (`kubectl auth can-i`): everybody who is let in may do everything, so the answer is yes."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import bad_request

ROOT = "/apis/authorization.k8s.io/v1/"
EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
STATUS: dict[str, tuple[str, dict[str, Any]]] = {
    "selfsubjectaccessreviews": ("SelfSubjectAccessReview", {"allowed": True}),
    "selfsubjectrulesreviews": ("SelfSubjectRulesReview", EVERYTHING),
}


def is_review(path: str) -> bool:
    return path.startswith(ROOT) and path.removeprefix(ROOT) in STATUS


def reviewed(path: str, body: Any) -> dict[str, Any]:
    """The review that was asked for, with its status. Raises 400 for one that asks nothing."""
    kind, status = STATUS[path.removeprefix(ROOT)]
    spec = body.get("spec") if isinstance(body, dict) and body.get("kind") in (None, kind) else None
    if not isinstance(spec, dict):
        raise bad_request(f"the object provided is not a {kind}")
    return {"kind": kind, "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": spec, "status": status}
