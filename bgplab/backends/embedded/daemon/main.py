"""The daemon of one lab, the one child of its PID 1: makes the hosts, serves SSH and the Kubernetes API, and waits.

What takes time is loading code, and that is one core's work. So hosts, which need little of it, are begun as soon as
the launcher has said what they are, and the kernel and FRR work on them beside the rest; SSH is loaded last.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys

from bgplab.backends.embedded.daemon.failing import give_up
from bgplab.backends.embedded.daemon.hosts import LabHosts
from bgplab.backends.embedded.daemon.line import Line, Report


def main(line_descriptor: int, requests: socket.socket, modules: str) -> None:
    """Never returns. line_descriptor: to the launcher. requests: to PID 1, of which this process is a fork.

    modules: where the launcher's Python finds them.
    """
    # What loading makes stays, and looking through it again and again was a tenth of the start; serving.py ends it.
    gc.disable()
    sys.path += [path for path in modules.split(os.pathsep) if path not in sys.path]
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    line = Line(socket.socket(fileno=line_descriptor))
    report, hosts = Report(line), LabHosts(line, requests)
    try:
        from bgplab.backends.embedded.daemon.serving import serve

        serve(hosts, line, report)
    except Exception as fault:
        give_up(fault, hosts.home.result(), report)
