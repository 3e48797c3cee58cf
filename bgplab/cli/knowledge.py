"""explain, manifests, schema: what is known without a lab."""

from __future__ import annotations

import click

from bgplab.cli.flows import FLOWS
from bgplab.cli.options import StepId, json_option, lab_option, overrides_of, unless_said
from bgplab.cli.output import print_json


@click.command()
@click.argument("ids", nargs=-1, type=StepId())
@lab_option
@json_option
def explain(ids: tuple[str, ...], lab: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what an observation is, why it matters, and how to see it by hand. Without IDS: list them all.

    M01 to M15 are those of a mesh, shown for the lab mesh; --lab with several clusters lists them. E01 to E16 are those
    of flow failover.
    """
    from bgplab.checks.explain import by_hand
    from bgplab.checks.explain import explain as explained
    from bgplab.errors import InputError
    from bgplab.spec.loading import load_lab
    from tasks.parts import part_for

    letters = {id[0] for id in ids}
    flow = next((one for one in FLOWS.values() if letters == {one.letter}), None)
    spec = load_lab(unless_said("lab", lab, flow.lab) if flow else lab, overrides_of(overrides))
    part = flow.part if flow else part_for(spec)
    part.refuse_unfit(spec)
    known = part.course.checks()
    unknown = [id for id in ids if id not in known]
    if unknown:
        some = f"name some of {next(iter(known))} … {list(known)[-1]}"
        raise InputError("IDS", f"there is no observation {', '.join(unknown)} of lab {spec.name}", "", some)
    chosen = [known[id] for id in ids] or list(known.values())
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "title": one.title,
                    "observed": one.explanation.observed,
                    "why": one.explanation.why,
                    "holds_from": one.holds_from,
                    "until": one.until,
                    "by_hand": by_hand(one, spec),
                }
                for one in chosen
            ]
        )
    elif ids:
        click.echo("\n\n\n".join(explained(one, spec) for one in chosen))
    else:
        for one in chosen:
            until = f" until {one.until}" if one.until else ""
            click.echo(f"{one.id}  {one.title}  {click.style(f'(from {one.holds_from}{until})', dim=True)}")


@click.command()
@lab_option
@click.option("--step", metavar="ID", type=StepId(), help="Only those of one step: G03, G11, … (M02, … of a mesh).")
@click.option("--cluster", metavar="NAME", help="Only those of one cluster, when there are several.")
@json_option
def manifests(lab: str, overrides: tuple[str, ...], step: str | None, cluster: str | None, as_json: bool) -> None:
    """Print a lab description's Kubernetes manifests, for kubectl apply -f -."""
    from bgplab.errors import InputError
    from bgplab.spec.loading import load_lab
    from bgplab.spec.manifests import by_cluster, render_yaml

    spec = load_lab(lab, overrides_of(overrides))
    clusters = by_cluster(spec)
    if cluster and cluster not in clusters:
        raise InputError("--cluster", f"there is no cluster {cluster!r}", "", f"name one of {', '.join(clusters)}")
    steps = next(iter(clusters.values()))
    if step and step not in steps:
        raise InputError("--step", f"{step!r} applies no manifests", "", f"name one of {', '.join(steps)}")
    chosen = {
        name: [item for id, items in groups.items() if step in (None, id) for item in items]
        for name, groups in clusters.items()
        if cluster in (None, name)
    }
    if as_json:
        print_json([item for items in chosen.values() for item in items])
        return
    for name, items in chosen.items():
        if len(chosen) > 1:
            click.echo(f"# cluster {name}")
        click.echo(render_yaml(items), nl=False)


@click.command()
def schema() -> None:
    """Print the JSON Schema of lab descriptions (editors complete from it)."""
    from bgplab.spec.schema import lab_schema

    print_json(lab_schema())
