"""Make the pictures in docs/images: `python scripts/pictures.py RUN [FAILOVER]` (directories of two runs).

report.png is the top of RUN's report as Chromium shows it. distribution.png of RUN and convergence.png of FAILOVER (the
events that lost most) are the plotly figures of dashboards/figures.py by way of kaleido.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 1900
MOST_EVENTS = 3
for folder in (ROOT, ROOT / "tests" / "dashboards"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def main(argv: list[str]) -> int:
    from browser import browser

    from bgplab.results.directory import load_run
    from dashboards.figures import convergence_figure, distribution_figure
    from dashboards.report import render_report

    run = load_run(Path(argv[0]))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(render_report(run))
        with browser(Path(folder) / "profile") as chromium:
            chromium.open(page.as_uri(), WIDTH)
            chromium.screenshot(IMAGES / "report.png", WIDTH, HEIGHT)
    (IMAGES / "distribution.png").write_bytes(distribution_figure(run.load_tests).to_image(format="png"))
    if len(argv) > 1:
        events = sorted(load_run(Path(argv[1])).convergence, key=lambda event: event.lost, reverse=True)
        (IMAGES / "convergence.png").write_bytes(convergence_figure(events[:MOST_EVENTS]).to_image(format="png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
