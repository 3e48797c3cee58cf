import ast
import errno
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import pytest

from bgplab.lab.shell import Completed
from bgplab.traffic.probe import SOURCE, RecordsError, parse
from bgplab.traffic.prober import error_class

STANDARD_LIBRARY = set(sys.stdlib_module_names)


def test_every_connection_has_one_record(server, prober):
    seen = prober("--url", server.url(), "--requests", 300)
    assert sorted(seen.columns["sequence"]) == list(range(300))
    assert seen.answered == 300
    assert server.seen == 300


def test_backends_are_counted_by_their_hostname(server, prober):
    seen = prober("--url", server.url(), "--requests", 30)
    assert seen.backends == {"webpod-a": 10, "webpod-b": 10, "webpod-c": 10}


def test_a_record_agrees_with_what_the_server_saw_of_it(server, prober):
    seen = prober("--url", server.url(), "--requests", 20).columns
    own = [f"{address}:{port}" for address, port in zip(seen["source_address"], seen["source_port"], strict=True)]
    assert own == seen["remote_address"]


def test_latencies_are_in_order(server, prober):
    seen = prober("--url", server.url(), "--requests", 50).columns
    rows = zip(seen["connect_us"], seen["first_byte_us"], seen["total_us"], strict=True)
    assert all(0 <= connect <= first <= total for connect, first, total in rows)


def test_start_is_wall_clock(server, prober):
    before = time.time_ns()
    seen = prober("--url", server.url(), "--requests", 3)
    assert all(before < start < time.time_ns() for start in seen.columns["start_ns"])


@pytest.mark.parametrize(
    ("path", "error", "status"),
    [
        ("/reset", "reset", None),
        ("/hang", "timeout_read", None),
        ("/short", "short", 200),
        ("/nothing", "short", None),
        ("/malformed", "malformed", None),
        ("/too-long", "malformed", 200),
        ("/unavailable", "status", 503),
    ],
)
def test_each_fault_has_its_own_error_class(server, prober, path, error, status):
    seen = prober("--url", server.url(path), "--requests", 5, "--read-timeout", 0.3)
    assert seen.errors == {error: 5}
    assert seen.columns["status"] == [status] * 5
    assert seen.columns["backend"] == [None] * 5


def test_nobody_listening_is_refused(prober):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    seen = prober("--url", f"http://127.0.0.1:{port}/", "--requests", 4)
    assert seen.errors == {"refused": 4}
    assert seen.columns["connect_us"] == [None] * 4


def test_a_full_backlog_times_out_while_connecting(prober):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        seen = prober(
            "--url", f"http://127.0.0.1:{listener.getsockname()[1]}/", "--requests", 3, "--connect-timeout", 0.2
        )
        for filler in fillers:
            filler.close()
    assert seen.errors == {"timeout_connect": 3}
    assert all(200_000 <= total < 600_000 for total in seen.columns["total_us"])


@pytest.mark.parametrize(
    ("number", "connected", "error"),
    [
        (errno.EHOSTUNREACH, False, "unreachable"),
        (errno.ENETUNREACH, False, "unreachable"),
        (errno.ETIMEDOUT, False, "timeout_connect"),
        (errno.ETIMEDOUT, True, "timeout_read"),
        (errno.EADDRNOTAVAIL, False, "address_in_use"),
        (errno.EMFILE, False, "local_limit"),
        (errno.EACCES, False, "errno_EACCES"),
    ],
)
def test_the_kernels_errors_have_classes(number, connected, error):
    assert error_class(number, connected) == error


def test_a_taken_source_port_is_recorded_not_skipped(server, prober):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        seen = prober(
            "--url",
            server.url(),
            "--requests",
            2,
            "--source-ports",
            f"{port}-{port}",
            "--source-address",
            "127.0.0.1",
        )
    assert seen.errors == {"address_in_use": 2}


def test_faults_among_answers_are_counted_exactly(server, prober):
    seen = prober("--url", server.url("/every-fifth-resets"), "--requests", 100)
    assert (seen.answered, seen.errors) == (80, {"reset": 20})


@pytest.mark.parametrize("path", ["/slowly", "/chunked", "/kept-open"])
def test_answers_of_any_shape_are_understood(server, prober, path):
    started = time.monotonic()
    assert prober("--url", server.url(path), "--requests", 6).backends.total() == 6
    assert time.monotonic() - started < 4


def test_a_promised_close_that_never_comes_is_still_an_answer(server, prober):
    seen = prober("--url", server.url("/promises-to-close"), "--requests", 3, "--read-timeout", 0.2)
    assert seen.answered == 3


def test_a_hostile_hostname_does_not_break_the_records(server, prober):
    seen = prober("--url", server.url("/hostile"), "--requests", 2)
    assert seen.columns["backend"] == ['"],[<script>\\\ufffd'] * 2


def test_source_ports_are_taken_in_turn_from_the_range(server, prober):
    seen = prober("--url", server.url(), "--requests", 20, "--source-ports", "21000-21019", "--concurrency", 1)
    assert seen.columns["source_port"] == list(range(21000, 21020))


def test_free_source_ports_are_used_once_each_and_those_of_others_left_out(server, prober):
    with socket.create_server(("", 0)) as one:
        taken = one.getsockname()[1]
        ports = f"free:{taken - 2}-{taken + 3}"
        seen = prober("--url", server.url(), "--requests", 5, "--source-ports", ports, "--concurrency", 1)
    assert seen.columns["source_port"] == [taken - 2, taken - 1, taken + 1, taken + 2, taken + 3]
    assert (seen.answered, seen.chosen_source_ports) == (5, 5)


def test_when_no_source_port_is_free_it_is_recorded(server, prober):
    with socket.create_server(("", 0)) as one:
        ports = "free:{0}-{0}".format(one.getsockname()[1])
        seen = prober("--url", server.url(), "--requests", 2, "--source-ports", ports)
    assert seen.errors == {"address_in_use": 2}


def test_random_source_ports_repeat_with_their_seed(server, prober):
    arguments = ("--url", server.url(), "--requests", 10, "--source-ports", "random:22000-29999", "--seed", 7)
    # from another address, since ports used a moment ago may still be in TIME_WAIT at the server
    first, second = prober(*arguments).frame, prober(*arguments, "--source-address", "127.0.0.2").frame
    assert list(first.source_port) == list(second.source_port)


def test_several_source_addresses_are_used_in_turn(server, prober):
    addresses = ("--source-address", "127.0.0.2", "--source-address", "127.0.0.3")
    seen = prober("--url", server.url(), "--requests", 10, *addresses)
    assert seen.seen_addresses == {"127.0.0.2": 5, "127.0.0.3": 5}


def test_a_rate_is_kept(server, prober):
    seen = prober("--url", server.url(), "--requests", 50, "--rate", 100)
    starts = sorted(seen.columns["start_ns"])
    assert 0.45 <= (starts[-1] - starts[0]) / 1e9 <= 0.75


def test_a_rate_is_kept_also_while_answers_hang(server, prober):
    seen = prober("--url", server.url("/hang"), "--rate", 50, "--requests", 25, "--read-timeout", 1)
    starts = sorted(seen.columns["start_ns"])
    assert (starts[-1] - starts[0]) / 1e9 <= 0.75
    assert seen.summary["late"] <= 2


def test_a_duration_ends_the_run(server, prober):
    seen = prober("--url", server.url(), "--duration", 0.3, "--concurrency", 2)
    assert 0.3 <= seen.summary["seconds"] <= 1
    assert len(seen) == server.seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_gives_what_was_measured_so_far(server, number):
    argv = [sys.executable, str(SOURCE), "--url", server.url(), "--rate", "200"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert "prober" in running.stdout.readline()
    server.wait_until_seen(20)
    running.send_signal(number)
    rest, _ = running.communicate(timeout=5)
    lines = rest.splitlines()
    assert running.returncode == 0
    assert len(lines) - 1 >= 20
    assert f'"recorded": {len(lines) - 1}' in lines[-1]


@pytest.mark.parametrize("misses", [0, 1_000_000])
def test_connections_that_are_not_there_at_once_are_waited_for(server, misses):
    """As over a real network: with no tries left the request goes only when the kernel says so."""
    text = SOURCE.read_text().replace("EAGER_MISSES = 16", f"EAGER_MISSES = {misses}").replace("% 64 == 0", "< 0")
    argv = [sys.executable, "-", "--url", server.url(), "--requests", "100"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20)
    seen = parse(Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.0), "here")
    assert seen.answered == 100
    rows = zip(seen.columns["connect_us"], seen.columns["total_us"], strict=True)
    assert all(0 <= connect <= total for connect, total in rows)


@pytest.mark.parametrize("path", ["/", "/chunked", "/slowly", "/kept-open", "/hostile"])
def test_the_short_way_and_the_long_one_record_the_same(server, prober, path):
    """The first answer of a kind goes the long way, later ones the short one if they can."""
    seen = prober("--url", server.url(path), "--requests", 12, "--concurrency", 1).columns
    assert seen["error"] == [""] * 12
    assert seen["status"] == [200] * 12
    if path != "/hostile":
        own = [f"{address}:{port}" for address, port in zip(seen["source_address"], seen["source_port"], strict=True)]
        assert seen["remote_address"] == own
        assert seen["backend"] == ["webpod-a", "webpod-b", "webpod-c"] * 4


def test_an_interrupt_before_the_first_connection_is_an_empty_measurement():
    """It comes while the URL is still being resolved, say."""
    text = "import os, signal\n" + SOURCE.read_text().replace(
        "def resolve(",
        "def resolve(*given):\n    os.kill(os.getpid(), signal.SIGINT)\n    return later(*given)\n\n\ndef later(",
    ).replace("from __future__ import annotations\n", "")
    argv = [sys.executable, "-", "--url", "http://127.0.0.1:9/", "--rate", "10"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20)
    seen = parse(Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.0), "here")
    assert (len(seen), seen.summary["interrupted"]) == (0, True)


def test_what_is_open_at_an_interrupt_is_recorded_as_interrupted(server):
    argv = [sys.executable, str(SOURCE), "--url", server.url("/hang"), "--requests", "100", "--concurrency", "8"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    first = running.stdout.readline()
    server.wait_until_seen(8)
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=5)
    seen = parse(Completed(tuple(argv), 0, first + rest, "", 0.0), "here")
    assert seen.errors == Counter(interrupted=8)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "ftp://host/"],
        ["--url", "http:///"],
        ["--url", "http://host:99999/"],
        ["--url", "http://127.0.0.1/", "--requests", "-1"],
        ["--url", "http://127.0.0.1/", "--source-ports", "9-1"],
        ["--url", "http://127.0.0.1/", "--connect-timeout", "0"],
    ],
)
def test_wrong_usage_ends_with_status_2(arguments):
    done = subprocess.run([sys.executable, str(SOURCE), *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")


def test_it_imports_nothing_but_the_standard_library():
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(SOURCE.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules <= STANDARD_LIBRARY


def test_it_runs_from_standard_input(server):
    argv = [sys.executable, "-", "--url", server.url(), "--requests", "5"]
    done = subprocess.run(argv, input=SOURCE.read_text(), capture_output=True, text=True, timeout=20)
    assert parse(Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.0), "pod").answered == 5


def output_of(server):
    argv = [sys.executable, str(SOURCE), "--url", server.url(), "--requests", "5"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20).stdout


def drop_a_record(text):
    lines = text.splitlines()
    return "\n".join(lines[:2] + lines[3:])


def double_a_record(text):
    lines = text.splitlines()
    return "\n".join([*lines[:2], lines[1], *lines[3:]])


@pytest.mark.parametrize(
    "lie",
    [drop_a_record, double_a_record, lambda text: text[: len(text) // 2], lambda text: "", lambda text: "hello\nworld"],
)
def test_edited_or_lost_records_are_not_believed(server, lie):
    with pytest.raises(RecordsError):
        parse(Completed((), 0, lie(output_of(server)), "", 0.0), "here")
