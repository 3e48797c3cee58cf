"""probe: open connections to a URL, one record each, from this machine's own loopback or from a host of a lab."""

from __future__ import annotations

from typing import Any

import click

from bgplab.cli.access import the_lab
from bgplab.cli.options import HostName, json_option, name_option
from bgplab.cli.output import print_json


@click.command()
@click.argument("url")
@name_option
@click.option("--from", "host", type=HostName(), required=True, help="The lab host that opens the connections.")
@click.option("--requests", default=100, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--concurrency", default=32, show_default=True, type=click.IntRange(1, 4096))
@click.option("--rate", default=0.0, help="Connections per second; 0: as fast as it goes.")
@click.option("--source-ports", default="kernel", show_default=True, help="kernel, random, or FIRST-LAST.")
@json_option
def probe(url: str, name: str | None, host: str, as_json: bool, **plan_options: Any) -> int:
    """Open connections to URL from a host of a standing lab and say who answered."""
    from bgplab.cli.access import access_of
    from bgplab.lab.opening import open_lab
    from bgplab.traffic.probe import Plan
    from bgplab.traffic.probe import probe as run_probe

    lab = open_lab(access_of(the_lab(name), host))
    plan = Plan(url, **plan_options)
    seen = run_probe(lab.hosts[host], plan)
    if as_json:
        print_json({"backends": dict(seen.backends), "errors": dict(seen.errors), "summary": seen.summary})
    else:
        for backend, count in sorted(seen.backends.items(), key=lambda item: -item[1]):
            click.echo(f"{count:>8}  {backend}")
        for error, count in sorted(seen.errors.items()):
            click.echo(f"{count:>8}  {click.style(error, fg='red')}")
    return 1 if seen.errors else 0
