"""Commands as a person types them."""

from __future__ import annotations

import re

from bgplab.spec.model import App

#: kubectl about what lies in a namespace, and names none; `apply` needs none, as manifests name theirs.
_ABOUT_PODS = re.compile(
    r"kubectl (?=(?:--context \S+ )?"
    r"(?:exec|(?:get|patch|scale|annotate|describe|delete|rollout status)"
    r" (?:pods?|svc|service|deployment|endpointslices))\b"
    r"(?!.* -n ))"
)

_CURL = re.compile(r"(curl (?:-\S+ |\d+ )*)([\w.-]+)")
_ON_HOST = re.compile(r"^(ssh \S+) (sudo vtysh(?: -c '[^']*')+)")


def typed_for(app: App, command: str) -> str:
    """The command as it works when it is typed.

    With the application's namespace and port, where these are not what kubectl and curl assume; and with vtysh's
    command line quoted once more, as ssh hands its words to the host's shell with nothing but spaces between them.
    """
    if app.port != 80:
        command = _CURL.sub(rf"\1\2:{app.port}", command)
    return in_namespace(_ON_HOST.sub(r'\1 "\2"', command), app.namespace)


def in_namespace(command: str, namespace: str) -> str:
    """The command with the application's namespace, where kubectl would look into `default` instead."""
    return command if namespace == "default" else _ABOUT_PODS.sub(f"kubectl -n {namespace} ", command)
