"""`bgp-lab`: parses, calls one library function, renders. Each command lives in its own file and is imported on use."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from bgplab import __version__
from bgplab.cli.output import colour
from bgplab.errors import BgpLabError

#: command → module in this package (its function has the command's name, dashes as underscores) and its help line.
COMMANDS = {
    "run": ("run", "Walk the guide as a flow: bring the lab up, judge every observation, write a report."),
    "up": ("lifecycle", "Bring a lab up and leave it standing."),
    "down": ("lifecycle", "Take a lab down; --all takes every lab of this machine."),
    "list": ("lifecycle", "Show the labs that stand on this machine."),
    "check": ("check", "Judge a standing lab; changes nothing."),
    "exec": ("access", "Run a command on a lab's host."),
    "ssh": ("access", "Open a shell on a lab's host, or run a command there."),
    "shell": ("access", "Open a shell in which the guide can be typed by hand."),
    "kubeconfig": ("access", "Print the path of a lab's kubeconfig (--print: its content)."),
    "probe": ("probe", "Open connections to a URL and record each one."),
    "report": ("report", "Show where a run's report is, or compare two runs."),
    "mesh": ("mesh", "Say how the clusters of a standing mesh are connected."),
    "explain": ("knowledge", "Say what an observation is, why it matters, and how to see it by hand."),
    "manifests": ("knowledge", "Print a lab description's Kubernetes manifests."),
    "schema": ("knowledge", "Print the JSON Schema of lab descriptions."),
    "serve": ("serve", "Prefect server, worker, deployments and reports on this machine's loopback."),
    "deploy": ("serve", "Register the deployments on the Prefect server that PREFECT_API_URL names."),
    "doctor": ("machine", "Say what this machine lacks, and how to get it."),
    "setup": ("machine", "Fetch what lab hosts need into the cache; installs nothing."),
    "version": ("machine", "Print versions."),
    "completion": ("machine", "Print the tab-completion script for bash, zsh or fish."),
}


class LazyCommands(click.Group):
    """Knows every command's help line without importing it: --help must answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"bgplab.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(
            module, cmd_name if cmd_name not in ("list", "exec") else f"{cmd_name}_command"
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="bgp-lab")
def cli() -> None:
    """A Cilium BGP lab in seconds: real FRR, GoBGP and Linux forwarding; every step judged by what is really there.

    Exit status: 0 everything holds, 1 a check failed or could not tell, 2 wrong input, 3 this machine lacks
    something, 4 the lab itself broke.
    """


def main() -> None:
    """The console script: errors become one clear message on standard error and their exit status."""
    try:
        status = cli.main(standalone_mode=False, color=colour())
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        _end_now(130)
    except BgpLabError as fault:
        click.echo(f"{_headline(fault)}\n{fault}", err=True, color=colour())
        sys.exit(fault.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


def _end_now(status: int) -> NoReturn:
    """End without farewells: a Prefect server hears no SIGTERM while it starts, its client tries to reach one for long.

    What must be undone has been by now, on the way up here; a server of this run's own is killed with this process.
    """
    if not {"prefect", "tasks.prefect_server"} & sys.modules.keys():
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _headline(fault: BgpLabError) -> str:
    names = {2: "wrong input, nothing was changed:", 3: "this machine cannot have a lab yet:", 4: "the lab broke:"}
    return click.style(names.get(fault.exit_status, "error:"), fg="red", bold=True)


if __name__ == "__main__":
    main()
