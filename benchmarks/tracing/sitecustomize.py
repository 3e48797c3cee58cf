"""Python imports this by itself when its directory is in PYTHONPATH: time stamps from inside a lab's daemon.

Nothing of the project changes for it: modules that are named here are wrapped as they are imported. One JSON line per
span, in trace.jsonl beside the lab's directory: name, begin, end, CPU seconds of the thread, thread.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import inspect
import json
import os
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
    f"{_DAEMON}.assembly": [
        "Assembly._make_hosts", "make_bridges", "wait_ready", "connect_hosts", "start_router",
    ],
    f"{_DAEMON}.cluster": [
        "ClusterAssembly.serve", "ClusterAssembly.start_agents", "seeds", "start_controllers", "NodeAgents.start",
        "Kubelet", "NodeAgents.wait_ready",
    ],
    "bgplab.backends.embedded.kube.server": ["KubeServer.install"],
    "bgplab.backends.embedded.hosts.ssh": ["listen"],
    "bgplab.spec.model": [],
    f"{_DAEMON}.report": ["Report.ready"],
}  # fmt: skip


def _start() -> None:
    settings = next(word for word in sys.orig_argv if word.endswith("settings.json"))
    trace = os.open(Path(settings).parents[1] / "trace.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def note(name: str, begin: float, cpu: float) -> None:
        line = [name, begin, time.monotonic(), time.thread_time() - cpu, threading.current_thread().name]
        os.write(trace, json.dumps(line).encode() + b"\n")

    note("Python has started", time.monotonic() - time.process_time(), 0.0)
    sys.meta_path.insert(0, _Finder(note))


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


if any(word.endswith("daemon.main") for word in sys.orig_argv):
    _start()
