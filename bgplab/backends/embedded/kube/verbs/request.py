"""What a request asks for, freed from HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from bgplab.backends.embedded.kube.resources import Resource
from bgplab.backends.embedded.kube.store.item import Key, Value


class FieldValidation(Enum):
    """What becomes of fields the schema does not know."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class Target:
    """An object (or, without a name, a collection). `subresource`: "" or status, scale, …"""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return Key(self.resource.id, self.namespace, self.name)

    def named(self, name: str) -> Target:
        return replace(self, name=name)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """manager: who writes, for field ownership. force: take over fields of others when applying."""

    manager: str = "unknown"
    dry_run: bool = False
    validation: FieldValidation = FieldValidation.WARN
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """grace_seconds None: what the object says. propagation: Background, Foreground or Orphan."""

    grace_seconds: int | None = None
    propagation: str = "Background"
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """The object as it is now; what the client should be warned of; whether the write made it."""

    value: Value
    warnings: tuple[str, ...] = ()
    created: bool = False
