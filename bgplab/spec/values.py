"""The kinds of value a description holds. Each knows its range, whose rule that is, and what to write instead.

Numbers, names and switches are strict: `"9"`, `9.0` and `yes` are not quietly turned into what was probably meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict, WithJsonSchema
from pydantic_core import CoreSchema, core_schema


class RefusedValueError(ValueError):
    """A value that cannot be, why not, and what to do. Pydantic carries it in the context of its own error."""

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.do = what, why, do


def shown(value: object, longest: int = 60) -> str:
    """A value as a message quotes it: short, and on one line."""
    written = repr(value) if isinstance(value, str) else str(value)
    return written if len(written) <= longest else f"{written[:longest]}…"


@dataclass(frozen=True, slots=True)
class Range:
    """A whole number from `low` to `high`; `why` says who draws the limits, `do` what to write instead."""

    low: int
    high: int
    why: str
    do: str = ""

    def check(self, value: int) -> int:
        if self.low <= value <= self.high:
            return value
        raise RefusedValueError(
            f"{shown(value)} is outside {self.low}…{self.high}",
            self.why,
            self.do or f"write a number from {self.low} to {self.high}",
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, core_schema.int_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"minimum": self.low, "maximum": self.high}


# AS numbers ---------------------------------------------------------------------------------------------------------

_RESERVED_AS = {
    0: "RFC 7607: AS 0 must not be used; a speaker refuses an OPEN that carries it",
    23456: "RFC 6793: AS_TRANS stands in for four-octet numbers where a speaker knows two octets only",
    65535: "RFC 7300: the last two-octet AS number is reserved",
    4294967295: "RFC 7300: the last four-octet AS number is reserved",
}


def as_number(value: int) -> int:
    if value in _RESERVED_AS:
        raise RefusedValueError(f"AS {value} is reserved", _RESERVED_AS[value], _PRIVATE_AS)
    if not 1 <= value <= 4294967295:
        raise RefusedValueError(
            f"AS {shown(value)} is outside 1…4294967294", "RFC 6793: AS numbers have 32 bits", _PRIVATE_AS
        )
    return value


_PRIVATE_AS = "use a private one: 64512…65534 or 4200000000…4294967294 (RFC 6996)"

Asn = Annotated[
    int, Strict(), AfterValidator(as_number), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 4294967294})
]

# The multipath hash --------------------------------------------------------------------------------------------------


def hash_policy(value: object) -> object:
    if type(value) is int and value in (1, 3):
        return value
    raise RefusedValueError(
        f"{shown(value)} is not 1 or 3",
        "Linux ip-sysctl: 1 hashes addresses and ports, 3 the fields one chooses; 0 and 2 leave the ports out",
        "write 1, as the guide does, or 3",
    )


HashPolicy = Annotated[Literal[1, 3], BeforeValidator(hash_policy)]

# Addresses and networks ----------------------------------------------------------------------------------------------

_UNUSABLE = {
    IPv4Network("0.0.0.0/8"): "0.0.0.0/8 means 'this network' (RFC 1122)",
    IPv4Network("127.0.0.0/8"): "127.0.0.0/8 never leaves a host (RFC 1122)",
    IPv4Network("169.254.0.0/16"): "169.254.0.0/16 is link-local and not routed (RFC 3927)",
    IPv4Network("224.0.0.0/4"): "224.0.0.0/4 is multicast (RFC 5771)",
    IPv4Network("240.0.0.0/4"): "240.0.0.0/4 is reserved (RFC 1112)",
}
_PRIVATE = "take private addresses: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)"
_IPV4_ONLY = "the lab speaks ipv4/unicast only: routes, pools and Services are IPv4"


def _text(value: object, meant: str) -> str:
    if isinstance(value, str):
        return value
    raise RefusedValueError(
        f"{shown(value)} is not {meant}",
        "YAML reads it as something other than text",
        f"write {meant} as text, such as {_EXAMPLES[meant]}",
    )


_EXAMPLES = {"an IPv4 address": "192.168.10.100", "an IPv4 network": "192.168.10.0/24"}


def router_id(value: object) -> IPv4Address:
    """Any four octets but 0.0.0.0 (RFC 6286); it need not be an address of the router's."""
    address = read_address(value)
    if not int(address):
        raise RefusedValueError(
            "0.0.0.0 is not a router id", "RFC 6286: a BGP identifier is not zero", "leave it out, or write one"
        )
    return address


def host_address(value: object) -> IPv4Address:
    """An address a host can have."""
    address = read_address(value)
    for network, why in _UNUSABLE.items():
        if address in network:
            raise RefusedValueError(f"{address} cannot be a host's address", why, _PRIVATE)
    return address


def read_address(value: object) -> IPv4Address:
    if isinstance(value, IPv4Address):
        return value
    text = _text(value, "an IPv4 address")
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        if _is_ipv6(text):
            raise RefusedValueError(f"{shown(text)} is IPv6", _IPV4_ONLY, "write an IPv4 address") from error
        if "/" in text:
            raise RefusedValueError(
                f"{shown(text)} has a prefix length", "the subnet already says it", f"write {text.split('/')[0]}"
            ) from error
        raise RefusedValueError(
            f"{shown(text)} is not an IPv4 address", _reason(error, text), "write four numbers from 0 to 255"
        ) from error


def network(value: object) -> IPv4Network:
    """A network that can be routed in a lab, written with its length and without host bits."""
    read = _read_network(value)
    for unusable, why in _UNUSABLE.items():
        if read.overlaps(unusable):
            raise RefusedValueError(f"{read} cannot be a lab's network", why, _PRIVATE)
    return read


def _read_network(value: object) -> IPv4Network:
    if isinstance(value, IPv4Network):
        return value
    text = _text(value, "an IPv4 network")
    if _is_ipv6(text):
        raise RefusedValueError(f"{shown(text)} is IPv6", _IPV4_ONLY, "write an IPv4 network")
    if "/" not in text:
        raise RefusedValueError(
            f"{shown(text)} has no prefix length", "a network is an address and a length", f"write {text}/24"
        )
    try:
        loose = IPv4Network(text, strict=False)
    except ValueError as error:
        raise RefusedValueError(
            f"{shown(text)} is not an IPv4 network", _reason(error, text), "write it as 192.168.10.0/24"
        ) from error
    if text != str(loose):
        raise RefusedValueError(
            f"{shown(text)} is not how the network {loose} is written",
            "host bits and netmasks leave open what is meant",
            f"write {loose}",
        )
    return loose


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Network(text, strict=False)
    except ValueError:
        return False
    return True


def _reason(error: ValueError, text: str) -> str:
    """Python's reason, without the quotation of the text, which may be long."""
    said = str(error).replace(f" in {text!r}", "")
    return said if len(said) < 80 else "it has another form"


Address = Annotated[IPv4Address, BeforeValidator(host_address), WithJsonSchema({"type": "string", "format": "ipv4"})]
RouterId = Annotated[IPv4Address, BeforeValidator(router_id), WithJsonSchema({"type": "string", "format": "ipv4"})]
Network = Annotated[
    IPv4Network,
    BeforeValidator(network),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$", "examples": ["192.168.10.0/24"]}),
]

# Names ---------------------------------------------------------------------------------------------------------------

_ACTING = set("\\$`;&|<>*?!~'\"(){}[]#%/\n\r\t\0 ")


@dataclass(frozen=True, slots=True)
class Words:
    """A text of one form. `form` is what a message calls it, `why` whose rule it is; `slashes`: it may hold '/'."""

    pattern: str
    longest: int
    form: str
    why: str
    slashes: bool = False

    def check(self, value: str) -> str:
        if len(value) > self.longest:
            too_long = f"{shown(value)} has {len(value)} characters, at most {self.longest} are possible"
            raise RefusedValueError(too_long, self.why, "shorten it")
        if not re.fullmatch(self.pattern, value):
            raise RefusedValueError(
                f"{shown(value)} is not {self.form}", self._danger(value) or self.why, self._advice(value)
            )
        return value

    def _danger(self, value: str) -> str:
        """The reason that matters more than the form: characters that would act in a shell or a path."""
        acting = sorted(_ACTING.intersection(value) - ({"/"} if self.slashes else set()))
        acting += [".."] if ".." in value else []
        if not acting:
            return ""
        return f"it goes into commands and paths, where {' '.join(map(repr, acting))} would do something of its own"

    def _advice(self, value: str) -> str:
        near = re.sub(r"[^a-z0-9/]+" if self.slashes else r"[^a-z0-9]+", "-", value.lower()).strip("-")
        return f"write {near}" if re.fullmatch(self.pattern, near) else f"write {self.form}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^{self.pattern}$", "minLength": 1, "maxLength": self.longest}


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

Label = Annotated[
    str,
    Words(
        _LABEL,
        63,
        "a name of lower-case letters, digits and inner '-'",
        "it becomes a host name and a Kubernetes name (RFC 1123 label)",
    ),
]
ServiceName = Annotated[
    str,
    Words(
        r"[a-z]([-a-z0-9]*[a-z0-9])?",
        46,
        "a name of lower-case letters, digits and inner '-', a letter first",
        "a Service's name is an RFC 1035 label, and a Deployment's pods append up to 17 characters to it",
    ),
]
LabelKey = Annotated[
    str,
    Words(
        rf"({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?",
        253,
        "a Kubernetes label key",
        "Kubernetes: an optional DNS name and '/', then at most 63 letters, digits and inner '-', '_' or '.'",
        slashes=True,
    ),
]
FrrWord = Annotated[
    str,
    Words(
        r"[A-Za-z][-A-Za-z0-9_]*",
        63,
        "a word of letters, digits, '-' and '_', a letter first",
        "FRR tells a peer group from a neighbour's address by its form",
    ),
]
PeerName = Annotated[
    str,
    Words(
        r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
        255,
        "a name of letters, digits and inner '-', '_' or '.'",
        "Cilium: a peer's name has 1…255 characters, and the names of route policies begin with it",
    ),
]
Image = Annotated[
    str,
    Words(
        r"[a-z0-9]+([._/:-]+[A-Za-z0-9]+)*(@sha256:[0-9a-f]{64})?",
        255,
        "an image reference such as traefik/whoami:v1.11",
        "it is what a container engine pulls",
        slashes=True,
    ),
]
ContextName = Annotated[
    str,
    Words(
        r"[A-Za-z0-9]([-A-Za-z0-9_.@:]*[A-Za-z0-9])?",
        253,
        "a name of letters, digits and inner '-', '_', '.', '@' or ':'",
        "it is typed after kubectl's --context",
    ),
]
CiliumVersion = Annotated[
    str,
    Words(
        r"1\.(1[6-9]|[2-9]\d|\d{3})(\.\d{1,3})?",
        12,
        "a Cilium version from 1.16 on",
        "what differs by version is looked up by it; the BGP resources rendered here came with 1.16",
    ),
]
Text = Annotated[str, Strict()]
Switch = Annotated[bool, Strict()]
