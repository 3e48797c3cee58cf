"""A lab's daemon with time stamps from inside: `trace.py` names this module in place of the daemon's own.

Nothing of the project changes for it: modules that are named here are wrapped as they are imported. One JSON line per
span, in trace.jsonl beside the lab's directory: name, begin, end, CPU seconds of the thread, thread.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_DAEMON = "bgplab.backends.embedded.daemon"
#: module → attributes (`Class.method` or `function`) to time. Whatever is not there any more is left out.
SPANS = {
    f"{_DAEMON}.main": [],
    f"{_DAEMON}.hosts": ["LabHosts._make", "make_bridges", "wait_ready", "connect_hosts", "start_router"],
    f"{_DAEMON}.serving": [],
    f"{_DAEMON}.cluster": [
        "ClusterAssembly.serve", "ClusterAssembly.start_agents", "start_kubernetes_controllers",
        "start_cilium_controllers", "NodeAgents.start", "Kubelet", "NodeAgents.wait_ready",
    ],
    "asyncio": [],
    "bgplab.lab.kubernetes_cluster": [],
    "bgplab.backends.embedded.agents.node": [],
    "bgplab.backends.embedded.kube.server": ["KubeServer.install"],
    "bgplab.backends.embedded.hosts.ssh": ["listen"],
    f"{_DAEMON}.line": ["Line.receive", "Report.ready"],
}  # fmt: skip


def main(line: int, requests: socket.socket, modules: str) -> None:
    """As the daemon's own."""
    trace = os.open(Path(sys.argv[-1]) / "labs" / "trace.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def note(name: str, begin: float, cpu: float) -> None:
        taken = [name, begin, time.monotonic(), time.thread_time() - cpu, threading.current_thread().name]
        os.write(trace, json.dumps(taken).encode() + b"\n")

    note("PID 1 has forked the daemon", time.monotonic() - time.process_time(), 0.0)
    sys.meta_path.insert(0, _Finder(note))
    importlib.import_module(f"{_DAEMON}.main").main(line, requests, modules)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, note: Callable[[str, float, float], None]) -> None:
        self._note = note

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in SPANS:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def timed(module: ModuleType) -> None:
            begin, cpu = time.monotonic(), time.thread_time()
            execute(module)
            self._note(f"import {name.removeprefix('bgplab.').removeprefix('backends.embedded.')}", begin, cpu)
            for wanted in SPANS[name]:
                _wrap(module, wanted, self._note)

        spec.loader.exec_module = timed  # type: ignore[method-assign]
        return spec


def _wrap(module: ModuleType, wanted: str, note: Callable[[str, float, float], None]) -> None:
    *above, attribute = wanted.split(".")
    owner: Any = module
    for name in above:
        owner = getattr(owner, name, None)
    function = getattr(owner, attribute, None)
    if function is None:
        return

    @functools.wraps(function, updated=())
    def plain(*arguments: Any, **named: Any) -> Any:
        begin, cpu = time.monotonic(), time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            note(wanted, begin, cpu)

    @functools.wraps(function, updated=())
    async def awaited(*arguments: Any, **named: Any) -> Any:
        begin, cpu = time.monotonic(), time.thread_time()
        try:
            return await function(*arguments, **named)
        finally:
            note(wanted, begin, cpu)

    setattr(owner, attribute, awaited if inspect.iscoroutinefunction(function) else plain)
