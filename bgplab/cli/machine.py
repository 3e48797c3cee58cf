"""doctor, setup, version, completion: about this machine, not about a lab."""

from __future__ import annotations

import click

from bgplab.cli.options import json_option
from bgplab.cli.output import print_json, progress


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Say what this machine lacks, and how to get it. Exit status 3 when something is missing."""
    from bgplab.backends.registry import examine_machine

    findings = examine_machine()
    if as_json:
        print_json([{"what": one.what, "fine": one.fine, "needed": one.needed, "do": one.do} for one in findings])
    else:
        for one in findings:
            mark = (
                click.style("ok     ", fg="green")
                if one.fine
                else click.style("missing", fg="red" if one.needed else "yellow")
            )
            click.echo(f"{mark}  {one.what}" + (f"\n         do: {one.do}" if not one.fine else ""))
    return 3 if any(one.needed and not one.fine for one in findings) else 0


@click.command()
@json_option
def setup(as_json: bool) -> None:
    """Fetch what lab hosts need (Debian packages, about 60 MB) into the cache. Installs nothing; repeatable."""
    from bgplab.backends.registry import fetch_hosts_userland

    directory = fetch_hosts_userland(progress())
    if as_json:
        print_json({"userland": str(directory)})
    else:
        click.echo(f"hosts' userland: {directory}")


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the versions of bgp-lab, its libraries, and the lab hosts' packages."""
    import platform
    from importlib.metadata import version as installed

    from bgplab import __version__
    from bgplab.backends.registry import hosts_package_versions

    names = ("prefect", "kubernetes", "fabric", "asyncssh", "pandas", "plotly")
    facts = {"bgp-lab": __version__, "python": platform.python_version(), "kernel": platform.release()}
    facts |= {name: installed(name) for name in names} | dict(hosts_package_versions())
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            click.echo(f"{name:<14}{value}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the tab-completion script: eval "$(bgp-lab completion bash)"."""
    from click.shell_completion import get_completion_class

    from bgplab.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "bgp-lab", "_BGP_LAB_COMPLETE").source())
