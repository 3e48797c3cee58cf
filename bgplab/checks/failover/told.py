"""Claims about one phase of an event at one router, put together into one finding with its figures."""

from __future__ import annotations

from typing import Any

from bgplab.checks.claims import listed
from bgplab.checks.finding import Finding, fails, holds, inconclusive
from bgplab.observe.traffic_events import AtRouter, Phase

#: What is over within milliseconds, on a machine that may be busy: "sub-second".
QUICK_SECONDS = 1.0
#: How late a timer's end may be seen.
LATE_SECONDS = 2.0
#: GoBGP from 3.35: the first dial comes 1-2 s after a peer is added, or after its idle time; then the kernel.
DIAL_SECONDS = 3.0
#: GoBGP as Cilium sets it: so long a peer idles after a reset.
IDLE_SECONDS = 5.0
#: A cilium pod from its creation until its agent speaks; seconds on a real node, a fraction of one on the embedded lab.
AGENT_START_SECONDS = 30.0
#: A prober that paused for so long has seen nothing of what was shorter.
LONGEST_PAUSE_SECONDS = 0.5
#: Undisturbed traffic before an event, without which nobody knows that it was well then.
SHORTEST_BEFORE_SECONDS = 0.2


class Told:
    """One phase: problems are collected, and `finding` says all of them."""

    def __init__(self, seen: AtRouter, phase: Phase) -> None:
        self.seen, self.phase = seen, phase
        self.traffic = seen.traffic(phase)
        self.settled_seconds = seen.settled_seconds(phase)
        self._problems: list[str] = []
        self._sessions: float | None = None

    @property
    def lost(self) -> int:
        return self.traffic.lost

    def problem(self, text: str) -> None:
        self._problems.append(text)

    def settles(self) -> None:
        """The kernel's next hops are those due when the phase ends, and what the step waited for came."""
        if self.settled_seconds is None:
            hops = self.seen.hops_at_the_end(self.phase)
            self.problem(f"next hops to {self.seen.prefix} are {listed(hops)}, expected {listed(self.phase.due)}")
        elif not self.phase.settled:
            self.problem("what was waited for did not come in time")

    def settles_within(self, seconds: float) -> None:
        self.settles()
        if self.settled_seconds is not None and self.settled_seconds > seconds:
            self.problem(f"the kernel had its next hops after {self.settled_seconds:.2f} s, expected {seconds:g} s")

    def sessions_within(self, seconds: float) -> None:
        """FRR logged the session of each of the phase's nodes as up so soon after the change."""
        up = self.seen.said(self.phase, "session_up", self.phase.nodes)
        if missing := set(self.phase.nodes) - set(up):
            self.problem(f"no session of {listed(missing)} came up")
        self._sessions = max(up.values(), default=None)
        late = {name: round(after, 2) for name, after in up.items() if after > seconds}
        if late:
            self.problem(f"sessions came up after {late} s, expected {seconds:.1f} s at most")

    def sessions_return_within(self, seconds: float) -> None:
        """Each of the nodes' sessions was up again, with its End-of-RIB, so soon after FRR logged its end.

        Over both phases: some sessions are back before the last pod is.
        """
        for node in self.phase.nodes:
            log = [event for event in self.seen.log if self.seen.names.get(event.peer) == node]
            down = next((event.at_ns for event in log if event.kind == "session_down"), None)
            later = [event for event in log if down is not None and event.at_ns > down]
            for kind, what in (("session_up", "session"), ("end_of_rib", "End-of-RIB")):
                at_ns = next((event.at_ns for event in later if event.kind == kind), None)
                if down is None or at_ns is None:
                    self.problem(f"no {what} of {node} came" if down else f"no end of {node}'s session was logged")
                    continue
                after = (at_ns - down) / 1e9
                self._sessions = max(self._sessions or 0.0, after)
                if after > seconds:
                    self.problem(f"{node}: {what} {after:.2f} s after its session's end, expected {seconds:g} s")

    def next_hops_never_left(self) -> None:
        others = [change.next_hops for change in self.seen.changes(self.phase) if change.next_hops != self.seen.before]
        if others:
            gone = set().union(*(self.seen.before - hops for hops in others))
            names = (self.seen.names.get(hop, str(hop)) for hop in gone)
            self.problem(f"the kernel's route changed {len(others)} times; {listed(names)} left it meanwhile")

    def loses_nothing(self) -> None:
        if self.lost:
            self.problem(f"{self.lost} of {self.traffic.sent} connections failed ({self._errors()}), expected none")

    def loses_nothing_before(self, seconds: float | None) -> None:
        """No connection that began before this moment of the phase failed; those open just then are the moment's."""
        first = self.traffic.first_failure_ns
        if first is None or seconds is None:
            return
        began = (first - self.phase.at_ns) / 1e9
        if began < seconds - QUICK_SECONDS:
            self.problem(f"connections failed {began:.2f} s after it, while the path was still kept ({self._errors()})")

    def loses_no_longer_than(self, seconds: float) -> None:
        if not self.traffic.recovered:
            self.problem(f"connections still failed at the end: {self.lost} in all ({self._errors()})")
        elif self.traffic.outage_seconds > seconds:
            outage = self.traffic.outage_seconds
            self.problem(f"connections failed for {outage:.2f} s ({self._errors()}), expected {seconds:g} s at most")

    def recovers_within(self, seconds: float) -> None:
        after = self.traffic.seconds_after(self.phase.at_ns)
        if not self.traffic.recovered:
            self.problem(f"connections still failed at the end: {self.lost} in all ({self._errors()})")
        elif after is not None and after > seconds:
            self.problem(f"connections failed until {after:.2f} s after it, expected {seconds:g} s at most")

    def nothing_succeeds_after(self, seconds: float | None) -> None:
        """From this moment of the phase until it was undone; connections open just then left out."""
        if seconds is None:
            return
        since = self.phase.at_ns + int(seconds * 1e9)
        columns = self.seen.probe.columns
        rows = zip(columns["start_ns"], columns["error"], strict=True)
        inside = [error for start, error in rows if since <= start < self.seen.back.at_ns and error != "interrupted"]
        if not inside:
            self.problem("no connection was tried while the route was gone")
        if good := inside.count(""):
            self.problem(f"{good} of {len(inside)} connections succeeded while the kernel had no route")

    def finding(self, why: str, *, outage: bool = True) -> Finding:
        """Inconclusive when the prober itself had trouble, or connections failed before the event."""
        if self.traffic.sent == 0 or self.traffic.resolution_seconds > LONGEST_PAUSE_SECONDS:
            pause = self.traffic.resolution_seconds
            return inconclusive(f"the prober paused for {pause:.2f} s: shorter outages would not be seen")
        if self.seen.begun_before_seconds() < SHORTEST_BEFORE_SECONDS:
            return inconclusive("no connection was opened before the event: its beginning would not be seen")
        if before := self.seen.failed_before():
            return inconclusive(f"{before} connections failed before the event: it is not to blame for all")
        if self._problems:
            return fails(f"{self.phase.did}: {'; '.join(self._problems)}", None, **self._figures())
        return holds(f"{self.phase.did}: {self._story(outage)} ({why})", None, **self._figures())

    def _story(self, outage: bool) -> str:
        parts = [f"{self.lost} of {self.traffic.sent} connections failed"]
        if self.lost and outage and self.traffic.recovered:
            parts[0] += f", over {self.traffic.outage_seconds:.2f} s"
        if self._sessions is not None:
            parts.append(f"session up after {self._sessions:.2f} s")
        if self.settled_seconds is not None and self.seen.changes(self.phase):
            parts.append(f"kernel settled after {self.settled_seconds:.2f} s")
        elif self.settled_seconds is not None:
            parts.append("the kernel's route did not change")
        return ", ".join(parts)

    def _figures(self) -> dict[str, Any]:
        traffic, at_ns = self.traffic, self.phase.at_ns
        figures: dict[str, Any] = {
            "sent": traffic.sent,
            "lost": traffic.lost,
            "outage_seconds": round(traffic.outage_seconds, 3),
            "kernel_settled_seconds": _rounded(self.settled_seconds),
            "resolution_seconds": round(traffic.resolution_seconds, 3),
        }
        for name, moment in (("first_failure", traffic.first_failure_ns), ("last_failure", traffic.last_failure_ns)):
            figures[f"{name}_seconds"] = None if moment is None else round((moment - at_ns) / 1e9, 3)
        if self._sessions is not None:
            figures["session_up_seconds"] = round(self._sessions, 3)
        return figures

    def _errors(self) -> str:
        return ", ".join(f"{count} {error}" for error, count in sorted(self.traffic.errors.items()))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
