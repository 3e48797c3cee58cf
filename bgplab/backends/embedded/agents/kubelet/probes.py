"""A container's startup, readiness and liveness probes: a thread per probed container, ended with it.

Kubelet's rules: until the startup probe has succeeded the others rest, and the container is neither started nor ready;
a failing startup or liveness probe ends the container (restartPolicy decides what then); readiness decides whether
Services lead to it. A probe's connections come from the node.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.agents.kubelet.refusals import PROBED
from bgplab.backends.embedded.agents.kubelet.sandbox import Sandbox
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.errors import LabError

LONGEST_SLEEP_SECONDS = 0.5  # so that it does not outlive its container by much
WORDS = {"startupProbe": "Startup", "readinessProbe": "Readiness", "livenessProbe": "Liveness"}

#: (kind of probe, what it saw) → nothing; for events.
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes make of a container so far."""

    started: bool
    ready: bool


class Streak:
    """Successes and failures in a row, and what they amount to: None while neither threshold is reached."""

    def __init__(self, probe: Mapping[str, Any]) -> None:
        self._needed = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
        self._last: bool | None = None
        self._count = 0

    def add(self, outcome: bool) -> bool | None:
        self._count = self._count + 1 if outcome == self._last else 1
        self._last = outcome
        return outcome if self._count >= self._needed[outcome] else None


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a container is probed: its sandbox, and its node's network. number: this start of it, no other."""

    sandbox: Sandbox
    container: Mapping[str, Any]
    number: str
    node_netns: int
    grace_seconds: float
    tell: Tell

    @property
    def name(self) -> str:
        return str(self.container["name"])

    def is_over(self) -> bool:
        return self.sandbox.closing or not any(
            view.name == self.name and view.number == self.number and view.exit_status is None
            for view in self.sandbox.views
        )


def has_probes(container: Mapping[str, Any]) -> bool:
    return any(container.get(kind) for kind in PROBED)


def initial_health(container: Mapping[str, Any]) -> Health:
    """Before any probe has said something."""
    started = not container.get("startupProbe")
    return Health(started, started and not container.get("readinessProbe"))


def start_probing(ground: Ground) -> None:
    """Probe until this start of the container is over."""
    threading.Thread(target=_Prober(ground).run, name=f"probes {ground.name}", daemon=True).start()


class _Prober:
    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._health = initial_health(ground.container)
        self._told: dict[str, str] = {}
        self._streaks = {kind: Streak(ground.container[kind]) for kind in PROBED if ground.container.get(kind)}
        self._due = {
            kind: time.monotonic() + ground.container[kind].get("initialDelaySeconds", 0) for kind in self._streaks
        }

    def run(self) -> None:
        with contextlib.suppress(LabError):  # the host is gone
            while (active := self._active()) and not self._ground.is_over():
                for kind in active:
                    if time.monotonic() >= self._due[kind]:
                        self._probe(kind)
                time.sleep(min(LONGEST_SLEEP_SECONDS, max(0.0, self._next_due() - time.monotonic())))

    def _active(self) -> list[str]:
        if not self._health.started:
            return ["startupProbe"]
        return [kind for kind in self._streaks if kind != "startupProbe"]

    def _next_due(self) -> float:
        return min((self._due[kind] for kind in self._active()), default=0.0)

    def _probe(self, kind: str) -> None:
        probe = self._ground.container[kind]
        self._due[kind] = time.monotonic() + probe.get("periodSeconds", 10)
        saw = outcome_of(probe, self._ground)
        if saw and saw != self._told.get(kind):
            self._ground.tell(kind, saw)  # once, where kubelet would count
        self._told[kind] = saw
        verdict = self._streaks[kind].add(not saw)
        if verdict is False and kind != "readinessProbe":
            self._ground.tell(
                "", f"Container {self._ground.name} failed {WORDS[kind].lower()} probe, will be restarted"
            )
            self._ground.sandbox.end(
                self._ground.name, float(probe.get("terminationGracePeriodSeconds") or self._ground.grace_seconds)
            )
        elif verdict is not None and kind == "readinessProbe":
            self._set(Health(self._health.started, verdict))
        elif verdict and kind == "startupProbe":
            self._set(Health(True, not self._ground.container.get("readinessProbe")))

    def _set(self, health: Health) -> None:
        if health != self._health:
            self._health = health
            self._ground.sandbox.set_health(self._ground.name, self._ground.number, health.started, health.ready)


def outcome_of(probe: Mapping[str, Any], ground: Ground) -> str:
    """What is wrong; empty when the probe succeeds."""
    seconds = float(probe.get("timeoutSeconds", 1))
    if "exec" in probe:
        return _command(probe["exec"]["command"], ground, seconds)
    asked = probe.get("httpGet") or probe["tcpSocket"]
    host = asked.get("host") or str(ground.sandbox.placement.address)
    port = _port(asked["port"], ground.container)
    try:
        with socket_in(ground.node_netns, lambda: socket.create_connection((host, port), seconds)) as connection:
            return _request(connection, probe["httpGet"], host, port, seconds) if "httpGet" in probe else ""
    except (OSError, http.client.HTTPException) as fault:
        return f"{host}:{port}: {fault}"


def _command(argv: list[str], ground: Ground, seconds: float) -> str:
    environment = ground.sandbox.setup_of(ground.name).environment
    try:
        done = ground.sandbox.placement.host.run(argv, timeout=seconds, check=False, env=environment)
    except LabError as fault:
        return str(fault)
    return "" if done.exit_status == 0 else (done.stdout + done.stderr).strip() or f"exit status {done.exit_status}"


def _request(connection: socket.socket, asked: Mapping[str, Any], host: str, port: int, seconds: float) -> str:
    connection.settimeout(seconds)
    client = http.client.HTTPConnection(host, port)
    client.sock = connection
    if asked.get("scheme") == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as kubelet: a probe trusts anybody
        client.sock = context.wrap_socket(connection)
    headers = {"User-Agent": "kube-probe/1.33"} | {h["name"]: h["value"] for h in asked.get("httpHeaders") or ()}
    client.request("GET", asked.get("path") or "/", headers=headers)
    code = client.getresponse().status
    return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"


def _port(asked: int | str, container: Mapping[str, Any]) -> int:
    named = {port.get("name"): port["containerPort"] for port in container.get("ports") or ()}
    return int(named.get(asked, asked))
