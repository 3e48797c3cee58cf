"""up, down, list."""

from __future__ import annotations

import contextlib
import time

import click

from bgplab.cli.options import json_option, lab_option, name_option, overrides_of
from bgplab.cli.output import print_json, progress


@click.command()
@lab_option
@name_option
@json_option
def up(lab: str, overrides: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Bring a lab up and leave it standing. Repeatable: one that stands already is left as it is."""
    from bgplab.backends.registry import backend
    from bgplab.lab import directory as labs

    say = progress()
    made = backend("embedded", {})
    with made.ahead() if _is_certain(lab, overrides, name) else contextlib.nullcontext():
        from bgplab.spec.loading import load_lab

        spec = load_lab(lab, overrides_of(overrides))
        name = labs.check_name(name or spec.name)
        with labs.lab_lock(name, f"bgp-lab up (pid {_pid()})", patience_seconds=30, say=say):
            standing = made.up(spec, name, holder="bgp-lab up", say=say)
            standing.keep()
            standing.release()
    record = labs.require_record(name)
    if as_json:
        print_json(_facts(record) | {"already": standing.already})
        return
    say(f"lab {name} {'stood already' if standing.already else 'stands'}: {', '.join(record.hosts)}")
    click.echo(f"type the guide in:   bgp-lab shell --name {name}")
    click.echo(f"a host's shell:      bgp-lab ssh --name {name} {record.hosts[0]}")
    if len(record.contexts) > 1:
        click.echo(f"a cluster's API:     kubectl --context {next(iter(record.contexts.values()))}  (in that shell)")
    click.echo(f"take it down:        bgp-lab down --name {name}")


def _is_certain(lab: str, overrides: tuple[str, ...], name: str | None) -> bool:
    """Whether a lab will be made, before the description is read: for input that may be wrong nothing is begun."""
    from bgplab.lab import directory as labs
    from bgplab.spec.shipped import shipped_labs

    return lab in shipped_labs() and not overrides and labs.read_record(labs.check_name(name or lab)) is None


@click.command()
@name_option
@click.option("--all", "everything", is_flag=True, help="Every lab of this machine.")
@json_option
def down(name: str | None, everything: bool, as_json: bool) -> None:
    """Take a lab down: the named one, or the only one that stands. One that does not stand is fine."""
    from bgplab.backends.registry import take_down

    if everything and name:
        raise click.UsageError("--all and --name exclude each other")
    ended = {one: take_down(one) for one in _meant(name, everything)}
    if as_json:
        print_json({"down": [one for one, stood in ended.items() if stood]})
        return
    for one, stood in ended.items():
        click.echo(f"lab {one} {'is down' if stood else 'did not stand' + _those_that_do()}")
    if not ended:
        click.echo("no lab stands")


def _those_that_do() -> str:
    from bgplab.lab import directory as labs

    standing = [record.name for record in labs.standing_labs()]
    return f" (standing: {', '.join(standing)})" if standing else ""


def _meant(name: str | None, everything: bool) -> list[str]:
    """Names of the labs to take down. Raises InputError when it is not clear which one is meant."""
    from bgplab.errors import InputError
    from bgplab.lab import directory as labs

    if name:
        return [labs.check_name(name)]
    standing = [record.name for record in labs.standing_labs()]
    if len(standing) > 1 and not everything:
        raise InputError(
            "--name",
            f"is missing, and {len(standing)} labs stand: {', '.join(standing)}",
            "without a name only one that stands alone is taken down",
            f"name one (bgp-lab down --name {standing[0]}), or take them all down: bgp-lab down --all",
        )
    return standing


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Show the labs that stand on this machine."""
    from bgplab.lab import directory as labs

    records = labs.standing_labs()
    if as_json:
        print_json([_facts(record) for record in records])
        return
    if not records:
        click.echo("no lab stands; bring one up: bgp-lab up")
        return
    click.echo(f"{'NAME':<20}{'BACKEND':<12}{'HOSTS':<8}{'AGE':<10}{'PID'}")
    for record in records:
        age = f"{(time.time() - record.since) / 60:.0f}m"
        click.echo(f"{record.name:<19} {record.backend:<12}{len(record.hosts):<8}{age:<10}{record.pid}")


def _facts(record: object) -> dict[str, object]:
    from bgplab.lab import directory as labs

    assert isinstance(record, labs.LabRecord)
    access = labs.access_to(record)
    return {
        "name": record.name,
        "backend": record.backend,
        "kubeconfig": str(access.kubeconfig),
        "ssh_config": str(access.ssh_config),
        "hosts": list(record.hosts),
        "contexts": record.contexts,
        "pid": record.pid,
    }


def _pid() -> int:
    import os

    return os.getpid()
