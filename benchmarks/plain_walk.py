"""The flow's walk without Prefect: the same steps, checks, load tests and report, in a process of its own."""

from __future__ import annotations

import sys
import time


def main() -> None:
    from bgplab.backends.registry import backend
    from bgplab.results.directory import new_run_id
    from bgplab.spec.loading import load_lab
    from bgplab.steps.all import STEPS
    from tasks.records import results_directory, run_of, write_run
    from tasks.walk import Walk

    spec = load_lab("guide")
    walk = Walk(spec, sys.argv[1], backend("embedded", {"grace_seconds": 1.0}), say=lambda _: None)
    started = time.monotonic()
    try:
        walk.provision("benchmark")
        walk.judge("G01")
        for step in STEPS:
            walk.do(step)
            walk.judge(step)
        written = write_run(run_of(walk, "plain", new_run_id(), {}, ""), results_directory())
    finally:
        walk.leave(keep=False)
    print(time.monotonic() - started, written.run.verdict.value, flush=True)


if __name__ == "__main__":
    main()
