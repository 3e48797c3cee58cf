import subprocess
import sys

import pytest

from bgplab.errors import LabError
from bgplab.lab.shell import Completed
from bgplab.traffic.probe import SOURCE, Plan, curl_script, parse_curl, probe, probe_from_pod, start_probe


class RunningHere:
    def __init__(self, argv):
        self.argv = argv
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait(self, timeout):
        out, err = self.process.communicate(timeout=timeout)
        return Completed(tuple(self.argv), self.process.returncode, out, err, 0.0)

    def stop(self):
        self.process.send_signal(2)
        return self.wait(5)


class Here:
    """This machine behind the Shell seam; python3 may be missing."""

    name = "router"

    def __init__(self, python=sys.executable, root=None):
        self.python, self.root, self.written = python, root, []

    def _argv(self, argv):
        moved = [part.replace("/tmp/", f"{self.root}/") if part.startswith("/tmp/bgp-lab") else part for part in argv]
        return [self.python, *moved[1:]] if moved[0] == "python3" else moved

    def run(self, argv, *, stdin="", timeout=30.0, check=True):
        try:
            done = subprocess.run(self._argv(argv), input=stdin, capture_output=True, text=True, timeout=timeout)
        except FileNotFoundError:
            return Completed(tuple(argv), 127, "", "python3: command not found", 0.0)
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.0)

    def start(self, argv, *, stdin="", on_line=None):
        return RunningHere(self._argv(argv))

    def put(self, content, path, mode=0o644):
        self.written.append(path)
        (self.root / path.removeprefix("/tmp/")).write_bytes(content)

    def exec(self, pod, argv, *, namespace="default", container=None, stdin="", timeout=30.0, check=True):
        return self.run(argv, stdin=stdin, timeout=timeout, check=check)


def test_the_prober_is_sent_to_a_host_once(server, tmp_path):
    host = Here(root=tmp_path)
    assert probe(host, Plan(server.url(), requests=5)).answered == 5
    assert probe(host, Plan(server.url(), requests=5)).answered == 5
    assert len(host.written) == 1


def test_a_pod_gets_the_prober_by_standard_input(server, tmp_path):
    pods = Here(root=tmp_path)
    assert probe_from_pod(pods, "curl-pod", Plan(server.url(), requests=7)).answered == 7
    assert pods.written == []


def test_a_started_prober_goes_on_until_it_is_stopped(server, tmp_path):
    running = start_probe(Here(root=tmp_path), Plan(server.url(), rate=100))
    server.wait_until_seen(20)
    seen = running.stop()
    assert seen.summary["interrupted"] is True
    assert len(seen) >= 20


def test_without_python_curl_stands_in_and_it_says_so(server, tmp_path):
    seen = probe(Here(python="/nonexistent", root=tmp_path), Plan(server.url(), requests=9, concurrency=3))
    assert (seen.method, seen.answered) == ("curl", 9)
    assert "no python3" in seen.note
    assert set(seen.backends) == {"webpod-a", "webpod-b", "webpod-c"}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/reset", "reset"),
        ("/nothing", "short"),
        ("/short", "short"),
        ("/hang", "timeout_read"),
        ("/unavailable", "status"),
    ],
)
def test_curl_tells_the_same_error_classes(server, tmp_path, path, error):
    plan = Plan(server.url(path), requests=2, connect_timeout=0.3, read_timeout=0.3)
    assert probe(Here(python="/nonexistent", root=tmp_path), plan).errors == {error: 2}


def test_curl_is_not_asked_for_what_it_cannot_do():
    with pytest.raises(LabError, match="only a curl loop"):
        curl_script(Plan("http://127.0.0.1/", rate=10))


def test_a_line_lost_by_the_curl_loop_is_not_overlooked():
    with pytest.raises(LabError, match="2 requested, 0 recorded"):
        parse_curl(Completed((), 0, "", "", 0.0), "pod", Plan("http://127.0.0.1/", requests=2))


def test_defaults_are_left_out_of_the_command_line():
    assert Plan("http://10.0.0.1/", requests=100).arguments() == ["--url=http://10.0.0.1/", "--requests=100"]


def test_every_option_of_a_plan_is_one_of_the_prober():
    plan = Plan(
        "http://127.0.0.1:1/",
        requests=1,
        concurrency=2,
        rate=3.0,
        duration=0.1,
        source_ports="random",
        source_addresses=("127.0.0.1",),
        connect_timeout=0.5,
        read_timeout=0.6,
        host_header="webpod",
        seed=4,
    )
    argv = [sys.executable, str(SOURCE), *plan.arguments()]
    assert subprocess.run(argv, capture_output=True).returncode == 0
