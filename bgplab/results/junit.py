"""A run as JUnit XML, for CI systems: one test case per check; inconclusive is an error, skipped is skipped.

Events under traffic that no check judges are cases, too.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from xml.etree import ElementTree

from bgplab.checks.finding import Verdict
from bgplab.results.record import CheckResult, ConvergenceResult, Run

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
ELEMENT = {Verdict.FAILS: "failure", Verdict.INCONCLUSIVE: "error", Verdict.SKIPPED: "skipped"}


def junit_xml(run: Run) -> str:
    """The document. A run that broke has one more case, `run`, with its error."""
    ids = {check.id for check in run.checks}
    events = [_as_check(event) for event in run.convergence if event.check_id not in ids]
    cases = [*run.checks, *events]
    count = Counter(check.verdict for check in cases)
    suite = ElementTree.Element(
        "testsuite",
        name=_text(f"{run.flow} on {run.lab}"),
        tests=str(len(cases) + bool(run.error)),
        failures=str(count[Verdict.FAILS]),
        errors=str(count[Verdict.INCONCLUSIVE] + bool(run.error)),
        skipped=str(count[Verdict.SKIPPED]),
        time=f"{run.seconds:.3f}",
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(run.started_ns / 1e9)),
    )
    for check in cases:
        _case(suite, run, check)
    if run.error:
        case = ElementTree.SubElement(suite, "testcase", classname=_text(f"{run.flow}.{run.lab}"), name="run", time="0")
        ElementTree.SubElement(case, "error", message=_text(run.error))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _as_check(event: ConvergenceResult) -> CheckResult:
    return CheckResult(event.name, event.title, event.verdict, event.reason)


def _case(suite: ElementTree.Element, run: Run, check: CheckResult) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_text(f"{run.flow}.{run.lab}"),
        name=_text(f"{check.id} {check.title}"),
        time=f"{check.seconds:.3f}",
    )
    if check.verdict in ELEMENT:
        said = ElementTree.SubElement(case, ELEMENT[check.verdict], message=_text(check.reason))
        said.text = _text("\n".join(check.commands)) or None
    elif check.reason:
        ElementTree.SubElement(case, "system-out").text = _text(check.reason)


def _text(value: str) -> str:
    """Without the characters that XML cannot carry at all; the rest is escaped by the library."""
    return NOT_XML.sub("\ufffd", value)
