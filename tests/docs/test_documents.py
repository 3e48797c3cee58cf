"""What the documents promise exists: commands, options, make targets, files, images, anchors."""

from __future__ import annotations

import re

import click
import pytest
from documents import ROOT, Document, documents, name_of

from bgplab.cli.main import COMMANDS, cli

LARGEST_IMAGE_BYTES = 400_000

every_document = pytest.mark.parametrize("document", documents(), ids=name_of)


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"bgp-lab has no command {name!r}"
    return found


def options_of(name: str) -> set[str]:
    return {option for parameter in command(name).params for option in parameter.opts} | {"-h", "--help"}


@every_document
def test_every_command_named_exists(document: Document) -> None:
    named = {words[1] for words in document.commands("bgp-lab") if len(words) > 1 and not words[1].startswith("-")}
    # a flow is called bgp-lab, too: `prefect deployment run bgp-lab/embedded`
    assert {name for name in named if re.fullmatch(r"[a-z-]+", name)} <= COMMANDS.keys()


@every_document
def test_every_option_named_exists(document: Document) -> None:
    unknown = []
    for words in document.commands("bgp-lab"):
        if len(words) < 2 or words[1] not in COMMANDS:
            continue
        own = words[2 : words.index("--")] if "--" in words else words[2:]
        given = {word.split("=")[0] for word in own if re.match(r"--?[a-z]", word)}
        unknown += [f"bgp-lab {words[1]} {option}" for option in sorted(given - options_of(words[1]))]
    assert unknown == []


@every_document
def test_every_make_target_named_exists(document: Document) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for words in document.commands("make") if len(words) > 1}
    assert {name for name in named if re.fullmatch(r"[a-z-]+", name)} <= targets


@every_document
def test_every_link_leads_somewhere(document: Document) -> None:
    broken = []
    for target in document.links():
        path, _, anchor = target.partition("#")
        there = document.path.parent / path if path else document.path
        if not there.exists() or (anchor and anchor not in Document(there, there.read_text()).anchors()):
            broken.append(target)
    assert broken == []


@every_document
def test_images_are_there_and_small(document: Document) -> None:
    sizes = {image.name: image.stat().st_size for image in document.images()}
    assert {name: size for name, size in sizes.items() if size > LARGEST_IMAGE_BYTES} == {}


def test_the_readme_starts_with_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == ["make lab", "make test"]


def test_the_readme_names_every_shipped_lab() -> None:
    from bgplab.spec.loading import shipped_labs

    text = (ROOT / "README.md").read_text()
    assert [name for name in shipped_labs() if f"`{name}`" not in text] == []


def test_the_smallest_lab_of_the_reference_is_valid() -> None:
    from bgplab.spec.loading import parse_lab

    text = (ROOT / "docs" / "labs.md").read_text()
    example = re.search(r"```yaml\n(name: small.*?)```", text, re.DOTALL)
    assert example is not None
    assert len(parse_lab(example[1], "docs/labs.md").cluster.nodes) == 3
