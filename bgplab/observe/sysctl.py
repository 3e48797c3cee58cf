"""`sysctl -n KEY` on routers, and what files would set it to at boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bgplab.errors import CommandFailed
from bgplab.lab.shell import Shell
from bgplab.observe.side_by_side import by_name

HASH_POLICY = "net.ipv4.fib_multipath_hash_policy"
HASH_FIELDS = "net.ipv4.fib_multipath_hash_fields"
DIRECTORY = "/etc/sysctl.d"
MAIN_FILE = "/etc/sysctl.conf"


@dataclass(frozen=True, slots=True)
class HashPolicies:
    """The live `net.ipv4.fib_multipath_hash_policy` by router (0: addresses, 1: with ports, 3: chosen fields)."""

    by_router: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Assignment:
    """One line `KEY = VALUE` of a sysctl file."""

    file: str
    value: str


@dataclass(frozen=True, slots=True)
class HashPolicyFiles:
    """Every line in /etc/sysctl.d and /etc/sysctl.conf that sets the hash policy, by router."""

    by_router: Mapping[str, tuple[Assignment, ...]]


@dataclass(frozen=True, slots=True)
class HashPolicyRestored:
    """What step G28 saw: with the live value set to 0, `sysctl --system` brought this value back."""

    by_router: Mapping[str, int]


def read_setting(host: Shell, key: str) -> int:
    return int(host.run(["sysctl", "-n", key]).stdout)


def read_hash_policy(router: Shell) -> int:
    return read_setting(router, HASH_POLICY)


def read_hash_policies(routers: Mapping[str, Shell]) -> HashPolicies:
    return HashPolicies(by_name(read_hash_policy, routers))


def read_assignments(router: Shell, key: str = HASH_POLICY) -> tuple[Assignment, ...]:
    """Links are not followed: Debian's 99-sysctl.conf is /etc/sysctl.conf once more. No match is no error."""
    argv = ["grep", "-rHsE", _pattern(key), DIRECTORY, MAIN_FILE]
    done = router.run(argv, check=False)
    if done.exit_status not in (0, 1, 2):  # grep(1): 1 is no match; 2 is a file that is not there
        raise CommandFailed(router.name, argv, done.exit_status, done.stdout, done.stderr)
    return parse_assignments(done.stdout)


def read_hash_policy_files(routers: Mapping[str, Shell]) -> HashPolicyFiles:
    return HashPolicyFiles(by_name(read_assignments, routers))


def _pattern(key: str) -> str:
    """sysctl.d accepts dots or slashes between words, and a leading minus (ignore errors)."""
    return r"^[[:space:]]*-?" + key.replace(".", "[./]") + r"[[:space:]]*="


def parse_assignments(text: str) -> tuple[Assignment, ...]:
    found = re.findall(r"^(/[^:]+):[^=]*=\s*(.*?)\s*$", text, re.M)
    return tuple(Assignment(file, value) for file, value in found)


def value_at_boot(assignments: tuple[Assignment, ...]) -> str | None:
    """The value that stands after `sysctl --system`: files by name, /etc/sysctl.conf last (procps)."""
    ordered = sorted(assignments, key=lambda line: (line.file == MAIN_FILE, PurePosixPath(line.file).name))
    return ordered[-1].value if ordered else None
