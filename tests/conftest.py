"""Shared by all tests: nothing a test does may reach the developer's own state, cache of labs, or Prefect home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Before anything imports Prefect: it reads its home when it is imported.
_SCRATCH = Path(tempfile.mkdtemp(prefix="bgp-lab-tests-"))
os.environ["BGPLAB_STATE"] = str(_SCRATCH / "state")
os.environ["BGPLAB_RESULTS"] = str(_SCRATCH / "results")
os.environ["PREFECT_HOME"] = str(_SCRATCH / "prefect")
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ.pop("PREFECT_API_URL", None)


def pytest_sessionfinish(session: object) -> None:
    """Take down what a failed test may have left standing; tests that leave a lab on purpose say so themselves."""
    import shutil

    from bgplab.backends.embedded import launch
    from bgplab.lab.directory import standing_labs

    for record in standing_labs():
        launch.down(record.name)
    shutil.rmtree(_SCRATCH, ignore_errors=True)
