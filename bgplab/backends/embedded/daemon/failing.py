"""What becomes of a lab that cannot start: it says why, its log stays, and it ends."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

from bgplab.backends.embedded.daemon.home import Home, keep_log
from bgplab.backends.embedded.daemon.line import Report
from bgplab.errors import BgpLabError, LabError


def give_up(fault: Exception, home: Home, report: Report) -> NoReturn:
    """The daemon's end. Where no launcher listens any more, nobody else keeps the log and tidies up."""
    if isinstance(fault, BgpLabError):
        print(fault, file=sys.stderr, flush=True)
        heard = report.failed(str(fault), fault.exit_status)
    else:
        traceback.print_exception(fault)
        log = home.directory.parents[1] / "last-failed-start.log"
        heard = report.failed(f"{type(fault).__name__}: {fault} (details: {log})", LabError.exit_status)
    if not heard:
        keep_log(home.directory)
        home.remove()
    os._exit(1)
