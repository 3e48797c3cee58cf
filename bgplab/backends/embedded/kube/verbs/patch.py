"""patch: the four kinds, each ending in an update of the object it was made for."""

from __future__ import annotations

import json
from typing import Any

from bgplab.backends.embedded.kube.errors import ApiError, bad_request, unsupported_media_type
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.patch.json_patch import json_patched
from bgplab.backends.embedded.kube.patch.merge_patch import merge_patched
from bgplab.backends.embedded.kube.patch.strategic import strategic_patched
from bgplab.backends.embedded.kube.resources import as_version
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.apply import apply
from bgplab.backends.embedded.kube.verbs.decode import decoded
from bgplab.backends.embedded.kube.verbs.metadata import check_place
from bgplab.backends.embedded.kube.verbs.request import Target, WriteOptions, Written
from bgplab.backends.embedded.kube.verbs.scale import scale_of, scaled
from bgplab.backends.embedded.kube.verbs.update import replace

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def patch(machine: Machine, target: Target, name: str, content: Any, options: WriteOptions) -> Written:
    """name: the media type of the patch. Raises 400, 404, 409, 415 (not a kind of patch for this resource), 422."""
    _check_media_type(target, name)
    if name == APPLY_PATCH:
        return apply(machine, target, content, options)
    old = machine.item(target).value
    if target.subresource == "scale":
        merged = _patched(target, name, scale_of(target.resource, old), content)
        return _scale(machine, target, old, merged, options)
    merged = _patched(target, name, as_version(target.resource, old), content)
    value, warnings = decoded(target.resource, merged, options.validation, lambda why: _strictly(content, why))
    check_place(target, value)
    return Written(replace(machine, target, old, value, options), warnings)


def _check_media_type(target: Target, name: str) -> None:
    allowed = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
    if not target.resource.custom:
        allowed.insert(2, STRATEGIC_PATCH)
    if name not in allowed:
        raise unsupported_media_type(", ".join(allowed))


def _patched(target: Target, name: str, document: Value, content: Any) -> Any:
    if name == JSON_PATCH:
        return json_patched(document, content)
    if not isinstance(content, dict):
        raise bad_request("error decoding patch: the patch must be a JSON object")
    if name == MERGE_PATCH:
        return merge_patched(document, content)
    return strategic_patched(target.resource.shape, document, content)


def _scale(machine: Machine, target: Target, old: Value, scale: Any, options: WriteOptions) -> Written:
    return Written(scale_of(target.resource, rescale(machine, target, old, scale, options)))


def rescale(machine: Machine, target: Target, old: Value, scale: Any, options: WriteOptions) -> Value:
    """Write the replicas of a Scale into its object."""
    value, _ = decoded(target.resource, scaled(target, as_version(target.resource, old), scale), options.validation)
    return replace(machine, target, old, value, options)


def _strictly(content: Any, why: str) -> ApiError:
    shown = json.dumps(content, separators=(",", ":")).replace('"', '\\"')
    message = f' "" is invalid: patch: Invalid value: "{shown}": {why}'
    causes = [{"reason": "FieldValueInvalid", "message": f'Invalid value: "{shown}": {why}', "field": "patch"}]
    return ApiError(422, "Invalid", message, {"causes": causes})
