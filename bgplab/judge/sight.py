"""One look at the lab: each observation is made at most once in it, and everything that was said is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from bgplab.errors import LabError
from bgplab.judge.context import Context
from bgplab.judge.course import Course
from bgplab.judge.evidence import Recorder, jsonable
from bgplab.lab.model import Lab
from bgplab.spec.model import LabSpec

Seen = TypeVar("Seen")


class Sight:
    """Observations by type. `see` raises again what its reader raised; what hosts said until then is kept, too."""

    def __init__(self, lab: Lab, spec: LabSpec, stage: str, context: Context, course: Course) -> None:
        self._whole_lab, self.spec, self.stage, self._course = lab, spec, stage, course
        self.context: Context = context
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._futures: dict[type, Future[Any]] = {}
        self._recorders: dict[type, Recorder] = {}

    def see(self, kind: type[Seen]) -> Seen:
        with self._lock:
            future = self._futures.get(kind)
            mine = future is None
            if future is None:
                future = self._futures[kind] = Future()
                self._recorders[kind] = Recorder()
        if mine:
            self._observe(kind, future)
        seen: Seen = future.result()
        return seen

    def _observe(self, kind: type, future: Future[Any]) -> None:
        recorder = self._recorders[kind]
        try:
            future.set_result(self._course.readers[kind](_Through(self, recorder.lab(self._whole_lab))))  # type: ignore[arg-type]
        except LabError as fault:
            future.set_exception(fault)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
            odd = LabError(f"{kind.__name__}: what was printed has not the expected shape: {fault!r}")
            odd.__cause__ = fault
            future.set_exception(odd)
        except BaseException as fault:
            future.set_exception(fault)

    @property
    def lab(self) -> Lab:
        return self._whole_lab

    @property
    def expected(self) -> Any:
        """The course's expectation for this moment. Raises LabError when what it is drawn from could not be seen."""
        return self._course.expectation(self)

    def see_all(self, kinds: Iterable[type]) -> None:
        """Make these observations side by side; faults come out when each is asked for."""
        wanted = {*self._course.grounds, *kinds}
        with ThreadPoolExecutor(len(wanted)) as pool:
            list(pool.map(self._quietly, wanted))

    def _quietly(self, kind: type) -> None:
        try:
            self.see(kind)
        except LabError:
            return  # kept in its future

    def evidence(self, kinds: Iterable[type]) -> dict[str, Any]:
        """What was seen of these, parsed and raw, faults included."""
        seen, raw = {}, []
        for kind in (*self._course.grounds, *kinds):
            future = self._futures.get(kind)
            if future is None or kind.__name__ in seen:
                continue
            fault = future.exception()
            seen[kind.__name__] = {"fault": str(fault)} if fault else jsonable(future.result())
            raw += [{"for": kind.__name__, **entry} for entry in self._recorders[kind].entries]
        return {"seen": seen, "raw": jsonable(raw)}


class _Through:
    """A sight whose lab writes down what is said, for one reader."""

    def __init__(self, sight: Sight, lab: Lab) -> None:
        self._sight, self.lab = sight, lab
        self.spec: LabSpec = sight.spec
        self.context: Context = sight.context
        self.stage: str = sight.stage

    @property
    def expected(self) -> Any:
        return self._sight.expected

    def see(self, kind: type[Seen]) -> Seen:
        return self._sight.see(kind)
