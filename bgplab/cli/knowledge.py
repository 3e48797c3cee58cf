"""explain, manifests, schema: what is known without a lab."""

from __future__ import annotations

import click

from bgplab.cli.options import json_option, lab_option, overrides_of
from bgplab.cli.output import print_json


@click.command()
@click.argument("ids", nargs=-1)
@lab_option
@json_option
def explain(ids: tuple[str, ...], lab: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what an observation is, why it matters, and how to see it by hand. Without IDS: list them all."""
    from bgplab.checks.all import all_checks
    from bgplab.checks.explain import by_hand
    from bgplab.checks.explain import explain as explained
    from bgplab.errors import InputError
    from bgplab.spec.loading import load_lab

    known = all_checks()
    unknown = [id for id in ids if id.upper() not in known]
    if unknown:
        raise InputError("IDS", f"there is no observation {', '.join(unknown)}", "", "name some of G01 … G30")
    chosen = [known[id.upper()] for id in ids] or list(known.values())
    spec = load_lab(lab, overrides_of(overrides))
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
@click.option("--step", metavar="ID", help="Only those of one step: G03, G11, G18 or G21.")
@json_option
def manifests(lab: str, overrides: tuple[str, ...], step: str | None, as_json: bool) -> None:
    """Print a lab description's Kubernetes manifests, for kubectl apply -f -."""
    from bgplab.errors import InputError
    from bgplab.spec.loading import load_lab
    from bgplab.spec.manifests import by_step, render_yaml

    spec = load_lab(lab, overrides_of(overrides))
    groups = by_step(spec, spec.cluster)
    if step and step not in groups:
        raise InputError("--step", f"{step!r} applies no manifests", "", f"name one of {', '.join(groups)}")
    chosen = [item for id, items in groups.items() if step in (None, id) for item in items]
    if as_json:
        print_json(chosen)
    else:
        click.echo(render_yaml(chosen), nl=False)


@click.command()
def schema() -> None:
    """Print the JSON Schema of lab descriptions (editors complete from it)."""
    from bgplab.spec.schema import lab_schema

    print_json(lab_schema())
