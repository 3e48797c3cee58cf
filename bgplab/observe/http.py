"""Requests with curl, from a pod or a host: one curl process, many connections at once, every answer kept.

One process, because sixty curls started side by side fight for the processor and their connect time limit would
measure that. `Connection: close`, because a reused connection would not be a new draw of a backend.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.errors import LabError
from bgplab.lab.cluster import Cluster
from bgplab.lab.shell import Completed, Shell
from bgplab.observe.side_by_side import by_name

TIMED_OUT = 28  # curl(1), EXIT CODES: operation timeout
BY_NAME = "name"
_WRITE_OUT = r"done|%{exitcode}|%{http_code}|%{time_namelookup}|%{time_total}|%{filename_effective}\n"


@dataclass(frozen=True, slots=True)
class Whoami:
    """The body that traefik/whoami sends: who answered, with which addresses, and whom it saw."""

    hostname: str
    addresses: tuple[IPv4Address, ...]
    remote: IPv4Address | None
    remote_port: int | None


@dataclass(frozen=True, slots=True)
class Request:
    """One connection. exit_status: curl's own (28: timed out). resolved: the name was found. body: when it answered."""

    exit_status: int
    http_status: int
    seconds: float
    resolved: bool
    body: Whoami | None

    @property
    def answered(self) -> bool:
        return self.exit_status == 0 and self.http_status == 200 and self.body is not None

    @property
    def timed_out(self) -> bool:
        """The connection itself was not answered; a name that did not resolve in time is another matter."""
        return self.exit_status == TIMED_OUT and self.resolved


@dataclass(frozen=True, slots=True)
class PodRequests:
    """From the client pod: through the Service by its name, and to each pod by its address."""

    client: str
    by_name: tuple[Request, ...]
    by_address: Mapping[IPv4Address, Request]


@dataclass(frozen=True, slots=True)
class VipRequests:
    """From each router to the LoadBalancer address. policy: the Service's externalTrafficPolicy at that time."""

    vip: IPv4Address
    policy: str
    by_router: Mapping[str, tuple[Request, ...]]


@dataclass(frozen=True, slots=True)
class SourcesSeen:
    """Requests to the VIP by externalTrafficPolicy; Cluster is None where this run has not looked at it."""

    local: VipRequests | None
    cluster: VipRequests | None


@dataclass(frozen=True, slots=True)
class Target:
    """`times` requests to one URL; `label` names them in the answer (letters, digits, dots, dashes)."""

    label: str
    url: str
    times: int = 1


def request_from_pod(
    cluster: Cluster, client: str, namespace: str, service: str, port: int, times: int, addresses: Sequence[IPv4Address]
) -> PodRequests:
    """`times` connections to the Service by name and one to each address, all at once, connect time limit 1 s."""
    suffix = "" if port == 80 else f":{port}"
    targets = [Target(BY_NAME, f"http://{service}{suffix}/", times)]
    targets += [Target(str(address), f"http://{address}{suffix}/") for address in addresses]
    answers = _ask(lambda argv: cluster.exec(client, argv, namespace=namespace, timeout=20, check=False), targets)
    return PodRequests(client, answers.get(BY_NAME, ()), {address: answers[str(address)][0] for address in addresses})


def request_from_routers(
    routers: Mapping[str, Shell], vip: IPv4Address, port: int, policy: str, times: int
) -> VipRequests:
    target = Target("vip", f"http://{vip}/" if port == 80 else f"http://{vip}:{port}/", times)

    def ask(router: Shell) -> tuple[Request, ...]:
        return _ask(lambda argv: router.run(argv, timeout=20, check=False), [target])["vip"]

    return VipRequests(vip, policy, by_name(ask, routers))


def _ask(run: Callable[[list[str]], Completed], targets: Sequence[Target]) -> dict[str, tuple[Request, ...]]:
    done = run(["sh", "-c", curl_script(targets)])
    answers = parse_answers(done.stdout)
    missing = [target.label for target in targets if len(answers.get(target.label, ())) != target.times]
    if missing:
        raise LabError(f"curl said nothing of its requests to {', '.join(missing)}: {done.stderr.strip()[-300:]}")
    return answers


def curl_script(targets: Sequence[Target], connect_timeout_seconds: float = 1) -> str:
    """A shell script that sends all requests and prints one line per request and all bodies (with their file names)."""
    total = sum(target.times for target in targets)
    words: list[str] = []
    for target in targets:
        words += [f'-o "$d"/{target.label}_#1', shlex.quote(f"{target.url}?[1-{target.times}]")]
    return (
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; "
        f"curl -s -Z --parallel-immediate --parallel-max {total} --connect-timeout {connect_timeout_seconds:g} "
        f"--max-time 5 -H 'Connection: close' -w {shlex.quote(_WRITE_OUT)} {' '.join(words)}; "
        'cd "$d" && for f in *; do echo "body|$f"; cat "$f"; done'
    )


def parse_answers(text: str) -> dict[str, tuple[Request, ...]]:
    """Requests by label, in the order in which they ended."""
    bodies = dict(re.findall(r"^body\|(\S+)\n((?:(?!body\|).*\n?)*)", text, re.M))
    answers: dict[str, tuple[Request, ...]] = {}
    for status, code, lookup, total, path in re.findall(r"^done\|(\d+)\|(\d+)\|([\d.]+)\|([\d.]+)\|(\S+)$", text, re.M):
        file = path.rsplit("/", 1)[-1]
        request = Request(int(status), int(code), float(total), float(lookup) > 0, parse_whoami(bodies.get(file, "")))
        label = file.rsplit("_", 1)[0]
        answers[label] = (*answers.get(label, ()), request)
    return answers


def parse_whoami(body: str) -> Whoami | None:
    """None when it is no such body."""
    hostname = re.search(r"^Hostname: (\S+)", body, re.M)
    remote = re.search(r"^RemoteAddr: ([\d.]+):(\d+)", body, re.M)
    if not hostname:
        return None
    return Whoami(
        hostname[1],
        tuple(IPv4Address(found) for found in re.findall(r"^IP: ([\d.]+)$", body, re.M)),
        IPv4Address(remote[1]) if remote else None,
        int(remote[2]) if remote else None,
    )
