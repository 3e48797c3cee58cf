"""What a flow takes, asked before it is called: a wrong parameter is wrong input, not a failed run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prefect import Flow
from prefect.exceptions import ParameterTypeError, SignatureMismatchError

from bgplab.errors import InputError


def refuse_unfit_parameters(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> None:
    """Raises InputError for a parameter that the flow does not have, or a value that it does not take."""
    there = flow.parameters.properties
    if unknown := sorted(parameters.keys() - there.keys()):
        what = f"flow {flow.name} has no {', '.join(unknown)}"
        raise InputError("--parameter", what, "", f"name one of {', '.join(there)}")
    try:
        flow.validate_parameters(dict(parameters))
    except (ParameterTypeError, SignatureMismatchError) as fault:
        raise InputError("--parameter", str(fault).strip()) from fault


def overrides_as_yaml(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Overrides as descriptions take them: text is YAML already, and the JSON of anything else is YAML, too."""
    return {field: value if isinstance(value, str) else json.dumps(value) for field, value in overrides.items()}
