"""The mesh's certificates, judged by OpenSSL: real TLS connections between their holders."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from bgplab.spec import mesh_certificates as certificates

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REAL_NOW = datetime.now(UTC)


def context(purpose: ssl.Purpose, own: certificates.Certified, trusted: certificates.Certified, at: Path):
    made = ssl.create_default_context(purpose, cadata=trusted.certificate)
    made.verify_mode = ssl.CERT_REQUIRED
    at.mkdir()
    (at / "tls.crt").write_text(own.certificate)
    (at / "tls.key").write_text(own.key)
    made.load_cert_chain(at / "tls.crt", at / "tls.key")
    return made


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[str, str]:
    """Connect; the common names that server and client saw of each other. Raises ssl.SSLError."""
    ours, theirs = socket.socketpair()
    seen: list[str] = []

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as accepted:
                seen.append(name_of(accepted))
                accepted.send(b"!")
        except ssl.SSLError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connected:
            seen_by_client = name_of(connected)
            if connected.recv(1) != b"!":
                raise ssl.SSLError("the server has hung up")
    finally:
        thread.join(10)
    return seen[0], seen_by_client


def name_of(connection: ssl.SSLSocket) -> str:
    der = connection.getpeercert(binary_form=True)
    assert der
    return certificates.common_name(ssl.DER_cert_to_PEM_cert(der))


@pytest.fixture(scope="module")
def west() -> certificates.Certified:
    return certificates.make_authority(REAL_NOW)


@pytest.fixture(scope="module")
def east() -> certificates.Certified:
    return certificates.make_authority(REAL_NOW)


def test_an_agent_and_a_remote_etcd_of_one_authority_trust_each_other(west, tmp_path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, certificates.sign_server(west, REAL_NOW), west, tmp_path / "server")
    remote = certificates.sign_client(west, "remote", REAL_NOW)
    client = context(ssl.Purpose.SERVER_AUTH, remote, west, tmp_path / "client")
    seen = shake_hands(server, client, "east.mesh.cilium.io")
    assert seen == ("remote", "clustermesh-apiserver.cilium.io")


def test_a_client_of_another_authority_is_refused_by_the_server(west, east, tmp_path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, certificates.sign_server(west, REAL_NOW), west, tmp_path / "server")
    stranger = certificates.sign_client(east, "remote", REAL_NOW)
    client = context(ssl.Purpose.SERVER_AUTH, stranger, west, tmp_path / "client")
    with pytest.raises((ssl.SSLError, OSError)):
        shake_hands(server, client, "east.mesh.cilium.io")


def test_a_client_refuses_a_server_of_another_authority(west, east, tmp_path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, certificates.sign_server(east, REAL_NOW), east, tmp_path / "server")
    client = context(
        ssl.Purpose.SERVER_AUTH, certificates.sign_client(west, "remote", REAL_NOW), west, tmp_path / "client"
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client, "east.mesh.cilium.io")


def test_a_client_of_one_authority_refuses_a_server_of_another_name(west, tmp_path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, certificates.sign_server(west, REAL_NOW), west, tmp_path / "server")
    client = context(
        ssl.Purpose.SERVER_AUTH, certificates.sign_client(west, "remote", REAL_NOW), west, tmp_path / "client"
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client, "east.example.org")


def test_certificates_name_what_the_chart_names(west) -> None:
    server = x509.load_pem_x509_certificate(certificates.sign_server(west, NOW).certificate.encode())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "clustermesh-apiserver.cilium.io",
        "*.mesh.cilium.io",
        "clustermesh-apiserver.kube-system.svc",
    ]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert certificates.common_name(west.certificate) == "Cilium CA"
    assert server.not_valid_after_utc - NOW == timedelta(days=1095)


def test_two_authorities_are_told_apart_and_one_is_itself_after_a_secret(west, east) -> None:
    again = certificates.authority_from(certificates.authority_data(west))
    assert again == west
    assert certificates.fingerprint(again.certificate) == certificates.fingerprint(west.certificate)
    assert certificates.fingerprint(east.certificate) != certificates.fingerprint(west.certificate)
    assert certificates.subject_key_id(east.certificate) != certificates.subject_key_id(west.certificate)


def test_a_certificate_knows_who_signed_it(west, east) -> None:
    signed = certificates.sign_client(west, "remote", NOW).certificate
    assert certificates.is_signed_by(signed, west.certificate)
    assert not certificates.is_signed_by(signed, east.certificate)


def test_a_secret_without_a_key_is_no_authority(west) -> None:
    with pytest.raises(KeyError):
        certificates.authority_from({"ca.crt": certificates.authority_data(west)["ca.crt"]})
    with pytest.raises(ValueError, match=r".+"):
        certificates.authority_from(certificates.authority_data(west) | {"ca.key": certificates.encoded("no key")})
