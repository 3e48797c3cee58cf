"""Our `.proto` is what the generated modules were made from, and part of GoBGP 3.36's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet

from bgplab.backends.embedded.agents.bgp.gobgp import generate, gobgp_pb2

DEBIAN = Path(os.environ.get("BGPLAB_GOBGP_PROTOS", generate.ROOT / ".cache/gobgp-dev/protos"))


def compiled(root: Path, *names: str, out: Path) -> list[FileDescriptorProto]:
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"--descriptor_set_out={out}"]
    subprocess.run([*command, *(str(root / name) for name in names)], check=True)
    return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def messages(files: list[FileDescriptorProto]) -> dict[str, DescriptorProto]:
    """All messages by full name, nested ones too."""
    found: dict[str, DescriptorProto] = {}

    def walk(prefix: str, several: list[DescriptorProto]) -> None:
        for message in several:
            found[prefix + message.name] = message
            walk(f"{prefix}{message.name}.", list(message.nested_type))

    for file in files:
        walk("", list(file.message_type))
    return found


def enums(files: list[FileDescriptorProto]) -> dict[str, EnumDescriptorProto]:
    nested = {f"{name}.{enum.name}": enum for name, message in messages(files).items() for enum in message.enum_type}
    return nested | {enum.name: enum for file in files for enum in file.enum_type}


def test_the_generated_modules_are_those_of_the_proto_file(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    proto = str((generate.HERE / "gobgp.proto").relative_to(generate.ROOT))
    (fresh,) = compiled(generate.ROOT, proto, out=tmp_path / "set")
    committed = FileDescriptorProto.FromString(gobgp_pb2.DESCRIPTOR.serialized_pb)
    for message in messages([fresh]).values():
        for field in message.field:
            field.ClearField("json_name")
    assert committed == fresh


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[FileDescriptorProto], list[FileDescriptorProto]]:
    """Ours and Debian's."""
    pytest.importorskip("grpc_tools")
    if not (DEBIAN / "gobgp.proto").exists():
        pytest.skip(f"no GoBGP protos in {DEBIAN}: unpack Debian 13's golang-github-osrg-gobgp-dev (api/*.proto) there")
    proto = str((generate.HERE / "gobgp.proto").relative_to(generate.ROOT))
    out = tmp_path_factory.mktemp("protos")
    names = ("gobgp.proto", "attribute.proto", "capability.proto")
    return compiled(generate.ROOT, proto, out=out / "ours"), compiled(DEBIAN, *names, out=out / "debian")


def test_every_field_has_the_number_and_type_it_has_in_gobgp(
    both: tuple[list[FileDescriptorProto], list[FileDescriptorProto]],
) -> None:
    ours, theirs = messages(both[0]), messages(both[1])
    for name, message in ours.items():
        numbers = {field.name: (field.number, field.type, field.label, field.type_name) for field in message.field}
        known = {field.name: (field.number, field.type, field.label, field.type_name) for field in theirs[name].field}
        assert numbers.items() <= known.items(), name


def test_every_enum_is_the_one_of_gobgp(
    both: tuple[list[FileDescriptorProto], list[FileDescriptorProto]],
) -> None:
    ours, theirs = enums(both[0]), enums(both[1])
    for name, enum in ours.items():
        assert {value.name: value.number for value in enum.value} == {
            value.name: value.number for value in theirs[name].value
        }, name


def test_every_call_takes_and_answers_what_it_does_in_gobgp(
    both: tuple[list[FileDescriptorProto], list[FileDescriptorProto]],
) -> None:
    def calls(files: list[FileDescriptorProto]) -> dict[str, tuple[str, str, bool, bool]]:
        return {
            method.name: (method.input_type, method.output_type, method.client_streaming, method.server_streaming)
            for file in files
            for service in file.service
            for method in service.method
        }

    assert calls(both[0]).items() <= calls(both[1]).items()
