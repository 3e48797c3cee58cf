"""How to reach an API server, from a kubeconfig: its address, a connection pool, and who asks.

A kubeconfig with a bearer token and an authority of its own, such as an embedded lab's, is read right here. Everything
else (client certificates, exec plugins, cloud providers, proxies) is left to the `kubernetes` library, whose import
takes 0.4 s (1.3 s where no byte code may be written).
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from bgplab.errors import InputError

if TYPE_CHECKING:
    from kubernetes.client import Configuration

POOL_SIZE = 64
#: The library writes a kubeconfig's authority to a file that it hands to the next thread before it has any content.
_LOADING = threading.Lock()
DIRECT_CLUSTER_FIELDS = {"server", "certificate-authority-data"}
DIRECT_USER_FIELDS = {"token"}


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """headers: who asks, made anew for every request because tokens of exec plugins run out.

    configuration: the same for the `kubernetes` library, loaded when its WebSocket client is needed.
    """

    server: str
    pool: urllib3.PoolManager
    headers: Callable[[], Mapping[str, str]]
    configuration: Callable[[], Configuration]


def access_by(kubeconfig: Path, context: str | None) -> ApiAccess:
    """The access that a kubeconfig's context (the current one when None) describes. Asks nothing.

    Raises InputError when the file or the context is not there or makes no sense.
    """
    return _direct(kubeconfig, context) or _by_library(kubeconfig, context)


def _direct(kubeconfig: Path, context: str | None) -> ApiAccess | None:
    """None when the file is not there or says more than is understood here."""
    try:
        said = _parsed(kubeconfig.read_text())
        chosen = _named(said["contexts"], context or said["current-context"])["context"]
        cluster = _named(said["clusters"], chosen["cluster"])["cluster"]
        user = _named(said["users"], chosen["user"])["user"]
        if cluster.keys() != DIRECT_CLUSTER_FIELDS or user.keys() != DIRECT_USER_FIELDS:
            return None
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        trust = ssl.create_default_context(cadata=authority)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, ssl.SSLError):
        return None  # the library says what is wrong with it
    headers = {"authorization": f"Bearer {user['token']}"}
    return ApiAccess(
        server=cluster["server"].rstrip("/"),
        pool=urllib3.PoolManager(maxsize=POOL_SIZE, ssl_context=trust),
        headers=lambda: headers,
        configuration=lambda: _configuration(kubeconfig, context),
    )


def _parsed(text: str) -> Any:
    """YAML, which JSON is, too: an embedded lab's is JSON, and needs no YAML to be loaded. Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError:
        import yaml

        try:
            return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as fault:
            raise ValueError(str(fault)) from fault


def _by_library(kubeconfig: Path, context: str | None) -> ApiAccess:
    from kubernetes.client import ApiClient

    configuration = _configuration(kubeconfig, context)
    configuration.connection_pool_maxsize = POOL_SIZE
    return ApiAccess(
        server=configuration.host,
        pool=ApiClient(configuration).rest_client.pool_manager,
        headers=lambda: authorization(configuration),
        configuration=lambda: configuration,
    )


def authorization(configuration: Configuration) -> dict[str, str]:
    settings: Any = configuration.auth_settings()
    return {setting["key"]: setting["value"] for setting in settings.values() if setting["in"] == "header"}


def _configuration(kubeconfig: Path, context: str | None) -> Configuration:
    import yaml
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_kube_config

    configuration = Configuration()
    try:
        with _LOADING:
            load_kube_config(str(kubeconfig), context, client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError, yaml.YAMLError) as fault:
        raise InputError(
            where=str(kubeconfig),
            what=f"cannot be used as a kubeconfig: {fault}",
            do="name a kubeconfig and one of its contexts (`kubectl config get-contexts`)",
        ) from fault
    return configuration


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)
