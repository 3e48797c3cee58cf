"""mesh status: how the clusters of a standing mesh are connected, by what their agents say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from bgplab.cli.options import json_option, name_option
from bgplab.cli.output import print_json

if TYPE_CHECKING:
    from bgplab.observe.mesh_agents import AgentSeen
    from bgplab.observe.mesh_connections import ApiServer, Target
    from bgplab.observe.mesh_install import Installed


@click.group()
def mesh() -> None:
    """Say how the clusters of a standing mesh are connected."""


@mesh.command()
@name_option
@json_option
def status(name: str | None, as_json: bool) -> int:
    """Every cluster with its Cilium, its authority and its node port, and each of its connections.

    The exit status is 1 when an agent is not ready with a cluster that it was told of, or none was told of any.
    """
    from bgplab.cli.access import the_lab
    from bgplab.lab import directory as labs
    from bgplab.lab.opening import open_lab
    from bgplab.observe.mesh_agents import read_mesh_agents
    from bgplab.observe.mesh_connections import read_mesh_api_servers, read_mesh_connections
    from bgplab.observe.mesh_install import read_mesh_installed

    clusters = open_lab(labs.access_to(labs.require_record(the_lab(name)))).clusters
    installed, servers = read_mesh_installed(clusters).by_cluster, read_mesh_api_servers(clusters).by_cluster
    told, agents = read_mesh_connections(clusters).by_cluster, read_mesh_agents(clusters).by_cluster
    shown = [_cluster(each, installed[each], servers[each], told[each], agents[each]) for each in clusters]
    if as_json:
        print_json({"clusters": shown})
    else:
        for each in shown:
            _print(each)
    connections = [connection for each in shown for connection in each["connections"]]
    return 0 if connections and all(each["ready"] == each["agents"] for each in connections) else 1


def _cluster(
    name: str,
    installed: Installed,
    server: ApiServer,
    told: Mapping[str, Target],
    agents: Mapping[str, AgentSeen],
) -> dict[str, Any]:
    return {
        "name": name,
        "cilium": installed.version,
        "cluster_id": installed.config.get("cluster-id"),
        "authority": installed.authority,
        "apiserver": {"type": server.type, "node_port": server.node_port, "ready": server.ready},
        "global_services": max((agent.global_services for agent in agents.values()), default=0),
        "connections": [_connection(other, target, agents) for other, target in told.items()],
    }


def _connection(other: str, target: Target, agents: Mapping[str, AgentSeen]) -> dict[str, Any]:
    """One remote cluster as all agents of this one have it."""
    remotes = {node: agent.remotes.get(other) for node, agent in agents.items()}
    waiting = {
        node: remote.status if remote else "not configured"
        for node, remote in remotes.items()
        if remote is None or not remote.ready
    }
    return {
        "to": other,
        "at": f"{target.address or target.host}:{target.port}",
        "agents": len(agents),
        "ready": len(agents) - len(waiting),
        "waiting": waiting,
    }


def _print(shown: dict[str, Any]) -> None:
    click.secho(f"{shown['name']}", bold=True, nl=False)
    if shown["cilium"] is None:
        click.echo("  no Cilium")
        return
    click.echo(f"  Cilium {shown['cilium']}, id {shown['cluster_id']}, {shown['global_services']} global services")
    click.echo(f"  cilium-ca      {shown['authority']}")
    server = shown["apiserver"]
    where = f"{server['type']} {server['node_port']}, {server['ready']} ready" if server["type"] else "not enabled"
    click.echo(f"  apiserver      {where}")
    for connection in shown["connections"]:
        ready, count = connection["ready"], connection["agents"]
        sign = click.style("ready", fg="green") if ready == count else click.style("not ready", fg="red")
        click.echo(f"  → {connection['to']:<12} {connection['at']}, {ready}/{count} agents {sign}")
        for node, said in connection["waiting"].items():
            click.echo(f"      {node}: {said}")
    if not shown["connections"]:
        click.echo("  connected to no cluster")
