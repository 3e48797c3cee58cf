"""probe: open connections to a URL from a host of a lab, one record each, and say who answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bgplab.cli.access import the_lab
from bgplab.cli.options import HostName, json_option, name_option
from bgplab.cli.output import print_json

if TYPE_CHECKING:
    from bgplab.lab.shell import Shell
    from bgplab.traffic.records import Plan, Probe

SECONDS = click.FloatRange(min=0)


@click.command()
@click.argument("url")
@name_option
@click.option("--from", "host", type=HostName(), required=True, help="The lab host that opens the connections.")
@click.option("--requests", type=click.IntRange(1, 1_000_000), help="How many; 100 unless --duration says when to end.")
@click.option("--concurrency", default=32, show_default=True, type=click.IntRange(1, 4096))
@click.option("--rate", default=0.0, type=SECONDS, help="Connections per second; 0: as fast as it goes.")
@click.option("--duration", default=0.0, type=SECONDS, help="Seconds after which no more are started.")
@click.option(
    "--source-ports",
    default="kernel",
    show_default=True,
    help="kernel, sequential, random, FIRST-LAST or random:FIRST-LAST.",
)
@click.option("--source-address", "source_addresses", multiple=True, help="An address of the host; several take turns.")
@click.option("--seed", default=0, type=int, help="Of random source ports.")
@click.option("--connect-timeout", default=2.0, show_default=True, type=SECONDS, help="Seconds until connected.")
@click.option("--read-timeout", default=5.0, show_default=True, type=SECONDS, help="Seconds from then to the answer.")
@click.option("--host-header", default="", help="Host header, when it is not the URL's.")
@json_option
def probe(url: str, name: str | None, host: str, requests: int | None, as_json: bool, **options: Any) -> int:
    """Open connections to URL from a host of a standing lab and say who answered.

    Ctrl-C ends it early and shows what was measured so far.
    """
    from bgplab.cli.access import access_of
    from bgplab.lab.opening import open_lab
    from bgplab.traffic.records import Plan

    lab = open_lab(access_of(the_lab(name), host))
    count = requests or (0 if options["duration"] else 100)
    seen = _measured(lab.hosts[host], Plan(url, requests=count, **options))
    if as_json:
        print_json({"backends": dict(seen.backends), "errors": dict(seen.errors), "summary": seen.summary})
    else:
        for backend, count in sorted(seen.backends.items(), key=lambda item: -item[1]):
            click.echo(f"{count:>8}  {backend}")
        for error, count in sorted(seen.errors.items()):
            click.echo(f"{count:>8}  {click.style(error, fg='red')}")
        if seen.note or seen.summary.get("interrupted"):
            click.echo(seen.note or f"interrupted after {len(seen)} connections", err=True)
    return 1 if set(seen.errors) - {"interrupted"} else 0


def _measured(host: Shell, plan: Plan) -> Probe:
    from bgplab.traffic.probe import probe, start_probe

    if host.run(["sh", "-c", "command -v python3"], check=False).exit_status != 0:
        return probe(host, plan)  # by curl, which cannot be interrupted
    running = start_probe(host, plan)
    try:
        return running.wait(plan.longest_seconds)
    except KeyboardInterrupt:
        return running.stop()
