"""The results directory on loopback, read only, with a page that lists the runs: a browser follows no `file:` link."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

from bgplab.results.history import list_runs
from bgplab.results.record import Run
from dashboards.report import environment, stylesheet

LOOPBACK = "127.0.0.1"
SERVED = {".html", ".json", ".png", ".svg", ".xml", ".md", ".txt", ".parquet"}


def render_index(results: Path) -> str:
    """The page that lists all finished runs."""
    page = environment().get_template("index.html.j2")
    return page.render(css=stylesheet(), root=str(results), runs=list_runs(results))


def report_url(port: int, run: Run) -> str:
    """Where the site shows a run's report."""
    return f"http://{LOOPBACK}:{port}/{run.flow}/{run.lab}/{run.run_id}/report.html"


class _Handler(SimpleHTTPRequestHandler):
    """Files of finished runs by their known endings; `/` is the index. No listings, no hidden names, no links out."""

    server_version = "bgp-lab"

    def do_GET(self) -> None:
        if self.path.split("?")[0] in ("/", "/index.html"):
            self._send_index(body=True)
        elif self._may_be_served():
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        if self.path.split("?")[0] in ("/", "/index.html"):
            self._send_index(body=False)
        elif self._may_be_served():
            super().do_HEAD()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news."""

    def _send_index(self, body: bool) -> None:
        page = render_index(Path(self.directory)).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if body:
            self.copyfile(BytesIO(page), self.wfile)

    def _may_be_served(self) -> bool:
        root, path = Path(self.directory).resolve(), Path(self.translate_path(self.path)).resolve()
        if not path.is_file() or not path.is_relative_to(root) or path.suffix not in SERVED:
            return False
        return not any(part.startswith(".") for part in path.relative_to(root).parts)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def make_site(results: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server that listens already, on a free port when it is 0 (`server_address[1]`). Serving is up to the caller."""
    return _Server((LOOPBACK, port), partial(_Handler, directory=str(results)))


def serve_site(results: Path, port: int) -> None:
    """Serve until Ctrl-C."""
    with make_site(results, port) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


@contextmanager
def running_site(results: Path, port: int = 0) -> Iterator[int]:
    """Serve in a thread while the block runs; gives the port."""
    with make_site(results, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="bgp-lab-site", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
