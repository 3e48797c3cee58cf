"""The inventory backend: machines by SSH and a cluster by kubeconfig that somebody else made.

For the guide's own Vagrant VMs: `vagrant ssh-config > ssh_config`, the kubeconfig of k8s-ctr, and sudo.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bgplab.backends.registry import Say
from bgplab.errors import InputError, Problem
from bgplab.lab.model import Access
from bgplab.spec.derived import host_names
from bgplab.spec.model import LabSpec


class InventoryLab:
    """A lab that stood before and stands afterwards."""

    already = True
    ours = False

    def __init__(self, access: Access) -> None:
        self.access = access

    def keep(self) -> None:
        """It stands anyway."""

    def release(self) -> None:
        """Nobody owns it."""

    def down(self) -> None:
        """Whoever made it takes it down."""


class InventoryBackend:
    """context: of the kubeconfig, for a lab with one cluster (the current one when absent)."""

    def __init__(self, ssh_config: str, kubeconfig: str, context: str | None = None, sudo: bool = False) -> None:
        self._ssh_config, self._kubeconfig = Path(ssh_config).expanduser(), Path(kubeconfig).expanduser()
        self._context, self._sudo = context, sudo

    def ahead(self) -> AbstractContextManager[None]:
        return nullcontext()

    def up(self, spec: LabSpec, name: str, *, holder: str, say: Say) -> InventoryLab:
        self._refuse_what_is_missing(spec)
        contexts = {one.name: self._context or self._current_context() for one in spec.clusters}
        hosts = tuple(host_names(spec))
        say(f"inventory {self._ssh_config}: {', '.join(hosts)}")
        return InventoryLab(Access(name, self._ssh_config, self._kubeconfig, hosts, contexts, self._sudo))

    def plan(self, spec: LabSpec, name: str) -> list[str]:
        return ["vagrant up", "vagrant ssh-config > ssh_config"]

    def _refuse_what_is_missing(self, spec: LabSpec) -> None:
        problems = [
            Problem(
                field, f"{path} is not there", "the inventory backend makes nothing itself", "name an existing file"
            )
            for field, path in (("ssh_config", self._ssh_config), ("kubeconfig", self._kubeconfig))
            if not path.is_file()
        ]
        if not problems:
            problems = [
                Problem(
                    str(self._ssh_config),
                    f"has no entry for host {host!r}",
                    f"lab {spec.name} has a host of that name",
                    f"add `Host {host}` (vagrant ssh-config prints it), or name hosts as the inventory does",
                )
                for host in host_names(spec)
                if host not in self._entries()
            ]
        if problems:
            raise InputError(problems=problems)

    def _entries(self) -> set[str]:
        from paramiko import SSHConfig

        return set(SSHConfig.from_path(str(self._ssh_config)).get_hostnames())

    def _current_context(self) -> str:
        import yaml

        given = yaml.safe_load(self._kubeconfig.read_text()) or {}
        context = given.get("current-context")
        if not context:
            raise InputError(str(self._kubeconfig), "has no current-context", "", "name one with --context")
        return str(context)
