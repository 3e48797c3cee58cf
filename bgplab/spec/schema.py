"""The JSON Schema of a lab description, from which editors complete and explain."""

from __future__ import annotations

from typing import Any

from bgplab.spec.model import LabSpec
from bgplab.spec.templates import NodeTemplate


def lab_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. It says what one value may be; what must hold between values only `load_lab` knows."""
    schema = LabSpec.model_json_schema()
    template = NodeTemplate.model_json_schema()
    schema["$defs"]["NodeTemplate"] = template
    nodes = schema["$defs"]["ClusterSpec"]["properties"]["nodes"]
    listed = {"type": nodes.pop("type"), "items": nodes.pop("items"), "minItems": 1}
    nodes["anyOf"] = [listed, {"$ref": "#/$defs/NodeTemplate"}]
    for field in ("subnets", "clusters"):
        schema["properties"][field]["minItems"] = 1
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "bgp-lab lab description"}
