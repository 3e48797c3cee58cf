"""exec, ssh, shell, kubeconfig: ways into a standing lab."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bgplab.cli.options import HostName, json_option, name_option
from bgplab.cli.output import print_json

if TYPE_CHECKING:
    from bgplab.lab.model import Access

#: What follows HOST is the command's own, options and all.
PASSING = {"allow_interspersed_args": False}


def the_lab(name: str | None) -> str:
    """The named lab, or the only one that stands, or `guide`."""
    from bgplab.lab.directory import standing_labs

    if name:
        return name
    standing = standing_labs()
    return standing[0].name if len(standing) == 1 else "guide"


def without_dashes(argv: tuple[str, ...]) -> list[str]:
    """`exec router -- ps -ef` and `exec router ps -ef` mean the same."""
    return list(argv[1:] if argv[:1] == ("--",) else argv)


def refuse_options_after_host(argv: tuple[str, ...], theirs: tuple[str, ...] = ()) -> None:
    """Raises a usage error for `exec router --name X -- ps`, which would be handed to the host's shell.

    theirs: options that are not ours alone, and may stand there.
    """
    context = click.get_current_context()
    ours = {name for param in context.command.params for name in (*param.opts, *param.secondary_opts)} - set(theirs)
    first = argv[0].partition("=")[0] if argv else ""
    if first in ours and first.startswith("-"):
        order = f"{context.command_path} {first} … HOST -- COMMAND"
        raise click.UsageError(f"{first} stands after HOST, where the host's command begins; write: {order}")


@click.command("exec", context_settings=PASSING)
@name_option
@click.option("--timeout", default=60.0, show_default=True, help="Seconds after which the command is given up.")
@click.option("--cluster", metavar="NAME", help="Run it in a pod of this cluster: HOST is a pod, or namespace/pod.")
@json_option
@click.argument("host", type=HostName())
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(
    name: str | None, timeout: float, cluster: str | None, as_json: bool, host: str, argv: tuple[str, ...]
) -> int:
    """Run a command on a lab's host, or in a pod of a cluster; its exit status becomes this one's."""
    from bgplab.lab.opening import open_lab

    refuse_options_after_host(argv)
    if cluster:
        access = access_of(the_lab(name))
        context_of(access, cluster)
        namespace, _, pod = host.rpartition("/")
        done = (
            open_lab(access)
            .clusters[cluster]
            .exec(pod, without_dashes(argv), namespace=namespace or "default", timeout=timeout, check=False)
        )
    else:
        lab = open_lab(access_of(the_lab(name), host))
        done = lab.hosts[host].run(without_dashes(argv), timeout=timeout, check=False)
    if as_json:
        print_json(
            {"exit_status": done.exit_status, "stdout": done.stdout, "stderr": done.stderr, "seconds": done.seconds}
        )
    else:
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
    return done.exit_status


@click.command(context_settings=PASSING)
@name_option
@click.argument("host", type=HostName())
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str | None, host: str, argv: tuple[str, ...]) -> None:
    """Open a shell on a lab's host with OpenSSH, or run a command there."""
    from bgplab.errors import MachineError

    refuse_options_after_host(argv, theirs=("-n",))  # ssh has a -n, too, and takes options after the host
    access = access_of(the_lab(name), host)
    if not shutil.which("ssh"):
        raise MachineError("the ssh program is missing", "apt-get install openssh-client (or use `bgp-lab exec`)")
    if not _has_a_name(os.getuid()):
        what = f"OpenSSH runs for users with a name only, and /etc/passwd has none for uid {os.getuid()}"
        raise MachineError(what, "add an entry to /etc/passwd (or use `bgp-lab exec`)")
    os.execvp("ssh", ["ssh", "-F", str(access.ssh_config), host, *without_dashes(argv)])


def _has_a_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


@click.command()
@name_option
def shell(name: str | None) -> int:
    """Open a shell in which the guide can be typed by hand: KUBECONFIG is set, `ssh router` resolves."""
    access = access_of(the_lab(name))
    with tempfile.TemporaryDirectory(prefix="bgp-lab-shell-") as directory:
        for tool in ("ssh", "scp", "sftp"):
            path = Path(directory) / tool
            path.write_text(f'#!/bin/sh\nexec {shutil.which(tool) or tool} -F "{access.ssh_config}" "$@"\n')
            path.chmod(0o700)
        environment = {
            **os.environ,
            "KUBECONFIG": str(access.kubeconfig),
            "PATH": f"{directory}{os.pathsep}{os.environ.get('PATH', '')}",
            "BGPLAB_SHELL": access.name,
        }
        click.echo(
            f"lab {access.name}: kubectl and ssh ({', '.join(access.hosts)}) lead into it; leave with exit", err=True
        )
        return os.spawnvpe(
            os.P_WAIT, os.environ.get("SHELL", "/bin/bash"), [os.environ.get("SHELL", "/bin/bash")], environment
        )


@click.command()
@name_option
@click.option("--print", "content", is_flag=True, help="Print the file itself.")
@click.option("--cluster", metavar="NAME", help="With --print: the context of this cluster as the current one.")
def kubeconfig(name: str | None, content: bool, cluster: str | None) -> None:
    """Print the path of a lab's kubeconfig: export KUBECONFIG=$(bgp-lab kubeconfig)."""
    access = access_of(the_lab(name))
    if cluster and not content:
        raise click.UsageError("--cluster goes with --print; without it: kubectl --context …")
    if not content:
        click.echo(str(access.kubeconfig))
    elif cluster:
        said = json.loads(access.kubeconfig.read_text())
        click.echo(json.dumps({**said, "current-context": context_of(access, cluster)}))
    else:
        click.echo(access.kubeconfig.read_text())


def context_of(access: Access, cluster: str) -> str:
    """The kubeconfig's context of a cluster. Raises InputError naming those there are."""
    from bgplab.errors import InputError

    if cluster not in access.contexts:
        known = ", ".join(access.contexts)
        raise InputError(
            "--cluster", f"lab {access.name} has no cluster {cluster!r}", f"its clusters: {known}", "name one"
        )
    return access.contexts[cluster]


def access_of(name: str, host: str | None = None):  # type: ignore[no-untyped-def]
    from bgplab.errors import InputError
    from bgplab.lab.directory import access_to, require_record

    access = access_to(require_record(name))
    if host is not None and host not in access.hosts:
        raise InputError(
            "HOST", f"lab {name} has no host {host!r}", f"its hosts: {', '.join(access.hosts)}", "name one"
        )
    return access
