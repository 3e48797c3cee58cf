"""Options that several commands share, each said once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from bgplab.cli.flows import FLOWS

Command = TypeVar("Command", bound=Callable[..., Any])


class LabName(click.ParamType):
    """The name of a lab; completes to those that stand."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from bgplab.lab.directory import standing_labs

        return [CompletionItem(one.name) for one in standing_labs() if one.name.startswith(incomplete)]


class LabDescription(click.ParamType):
    """A shipped lab's name or a file; completes to both."""

    name = "lab"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from bgplab.spec.shipped import shipped_labs

        shipped = [CompletionItem(name) for name in shipped_labs() if name.startswith(incomplete)]
        return shipped or [CompletionItem(incomplete, type="file")]


class StepId(click.ParamType):
    """A step or check of a guide: `G14`, and what people type for it: `g14`, `14`, `4` for `G04` (of a mesh `M04`)."""

    name = "step"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id in its written form; what has no such form is passed on, to be refused by who knows the ids."""
        typed = re.fullmatch(r"([A-Za-z]?)(\d{1,2})", value.strip())
        flow = FLOWS.get(ctx.params.get("flow", "") if ctx else "")
        return f"{typed[1].upper() or (flow.letter if flow else 'G')}{int(typed[2]):02}" if typed else value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from bgplab.checks.all import all_checks

        letters = [one.letter for name, one in FLOWS.items() if ctx.params.get("flow", name) == name]
        known = [check for letter in letters for check in all_checks(letter).values()]
        return [CompletionItem(one.id, help=one.title) for one in known if one.id.startswith(incomplete.upper())]


class HostName(click.ParamType):
    """A host of the lab named by --name; completes to them."""

    name = "host"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from bgplab.lab.directory import read_record

        record = read_record(ctx.params.get("name") or "guide")
        return [CompletionItem(host) for host in record.hosts if host.startswith(incomplete)] if record else []


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(command)


def name_option(command: Command) -> Command:
    text = "Which lab: its name (default: the description's, else the only one that stands)."
    return click.option("--name", "-n", type=LabName(), default=None, help=text)(command)


def lab_option(command: Command) -> Command:
    text = "A shipped description (guide, two-routers, five-nodes, scale) or a YAML file."
    decorated = click.option("--lab", "-l", type=LabDescription(), default="guide", show_default=True, help=text)(
        command
    )
    many = "Override a field of the description, e.g. --set load_test.requests=500 (repeatable)."
    return click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help=many)(decorated)


def unless_said(option: str, value: str, otherwise: str) -> str:
    """An option's value, or `otherwise` when the user gave none."""
    source = click.get_current_context().get_parameter_source(option)
    return otherwise if source is click.core.ParameterSource.DEFAULT else value


def overrides_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """`a.b=c` pairs as a mapping. Raises a usage error for anything else."""
    for pair in pairs:
        if "=" not in pair:
            raise click.UsageError(f"--set {pair!r}: write FIELD=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def backend_option(command: Command) -> Command:
    """--backend, and what an inventory is told; see `backend_options`."""
    for option in (
        click.option("--sudo", is_flag=True, help="Inventory: commands on hosts need sudo."),
        click.option("--context", help="Inventory: a context of the kubeconfig."),
        click.option("--kubeconfig", type=click.Path(), help="Inventory: a kubeconfig."),
        click.option("--ssh-config", type=click.Path(), help="Inventory: an ssh_config with an entry per host."),
        click.option("--backend", type=click.Choice(["embedded", "inventory"]), default="embedded", show_default=True),
    ):
        command = option(command)
    return command


def backend_options(options: dict[str, Any]) -> dict[str, Any]:
    """What the chosen backend is told. Raises a usage error for what only the other one knows, or what it lacks."""
    inventory = {name: options[name] for name in ("ssh_config", "kubeconfig", "context", "sudo") if options[name]}
    if options["backend"] == "embedded":
        if inventory:
            raise click.UsageError(f"--{next(iter(inventory)).replace('_', '-')} goes with --backend inventory")
        return {"grace_seconds": options["grace"]} if options.get("grace") is not None else {}
    if not {"ssh_config", "kubeconfig"} <= inventory.keys():
        raise click.UsageError("--backend inventory needs --ssh-config and --kubeconfig")
    files = {name: Path(inventory[name]).expanduser().absolute() for name in ("ssh_config", "kubeconfig")}
    _refuse_missing(files)
    return inventory | {name: str(path) for name, path in files.items()}


def _refuse_missing(files: Mapping[str, Path]) -> None:
    """Said here, too, and not only by the backend: before a flow it would be said once Prefect's server runs."""
    from bgplab.errors import InputError, Problem

    why, do = "the inventory backend makes nothing itself", "name an existing file"
    missing = {name: path for name, path in files.items() if not path.is_file()}
    if missing:
        told = [
            Problem(f"--{name.replace('_', '-')}", f"{path} is not there", why, do) for name, path in missing.items()
        ]
        raise InputError(problems=told)
