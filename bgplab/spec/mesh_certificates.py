"""The certificates of a mesh: each cluster's `cilium-ca`, and what it signs for clustermesh-apiserver.

On a real cluster Helm makes the authority (CN `Cilium CA`, 1095 days) and a Job of Cilium's certgen signs the rest;
here steps do both. Names and uses are those of the chart (Cilium 1.17/1.18, templates/clustermesh-apiserver/tls-*);
keys are P-256, where Helm's are RSA 2048, because they are made in a millisecond. Pure but for the keys' randomness;
the clock is passed in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_NAME = "Cilium CA"
SERVER_NAME = "clustermesh-apiserver.cilium.io"
SERVER_DNS_NAMES = (SERVER_NAME, "*.mesh.cilium.io", "clustermesh-apiserver.kube-system.svc")
SERVER_ADDRESSES = ("127.0.0.1", "::1")
LIFETIME = timedelta(days=1095)
#: A clock that is a little behind must not find a certificate not valid yet.
LEEWAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


def make_authority(now: datetime) -> Certified:
    """A new certificate authority that has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(AUTHORITY_NAME)
    certificate = (
        _builder(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pem(certificate, key)


def sign_server(authority: Certified, now: datetime) -> Certified:
    """The certificate of a cluster's etcd. Also a client's: etcd's own gateway connects to it as one."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVER_DNS_NAMES]
    names += [x509.IPAddress(ip_address(address)) for address in SERVER_ADDRESSES]
    uses = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    return _sign(authority, SERVER_NAME, uses, names, now)


def sign_client(authority: Certified, common_name: str, now: datetime) -> Certified:
    """A client's certificate; etcd takes the common name for the user's."""
    return _sign(authority, common_name, (ExtendedKeyUsageOID.CLIENT_AUTH,), (), now)


def fingerprint(certificate: str) -> str:
    """SHA-256 of a PEM certificate, as `openssl x509 -fingerprint -sha256` writes it. Raises ValueError."""
    return _read(certificate).fingerprint(hashes.SHA256()).hex(":").upper()


def subject_key_id(certificate: str) -> str:
    """By which the cilium CLI compares two clusters' authorities (hex). Raises ValueError, ExtensionNotFound."""
    return _read(certificate).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()


def common_name(certificate: str) -> str:
    """The subject's common name. Raises ValueError."""
    return str(_read(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def is_signed_by(certificate: str, authority: str) -> bool:
    """Whether one PEM certificate was signed with the key of another."""
    try:
        _read(certificate).verify_directly_issued_by(_read(authority))
    except Exception:  # a wrong signature, name or kind of key: the library has a type for each
        return False
    return True


# In Secrets ----------------------------------------------------------------------------------------------------------


def authority_data(authority: Certified) -> dict[str, str]:
    """`data` of the Secret `cilium-ca`."""
    return {"ca.crt": encoded(authority.certificate), "ca.key": encoded(authority.key)}


def authority_from(data: Mapping[str, str]) -> Certified:
    """The authority in the `data` of a Secret `cilium-ca`. Raises KeyError or ValueError when it is none."""
    authority = Certified(decoded(data["ca.crt"]), decoded(data["ca.key"]))
    _read(authority.certificate)
    _key_of(authority)
    return authority


def certified_data(certified: Certified, authority: Certified) -> dict[str, str]:
    """`data` of a Secret `clustermesh-apiserver-*-cert`."""
    return {
        "ca.crt": encoded(authority.certificate),
        "tls.crt": encoded(certified.certificate),
        "tls.key": encoded(certified.key),
    }


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def decoded(data: str) -> str:
    return base64.b64decode(data).decode()


# ---------------------------------------------------------------------------------------------------------------------


def _sign(
    authority: Certified,
    subject: str,
    uses: Sequence[x509.ObjectIdentifier],
    names: Sequence[x509.GeneralName],
    now: datetime,
) -> Certified:
    issuer, signing_key = _read(authority.certificate), _key_of(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_named(subject), issuer.subject, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _pem(builder.sign(signing_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LEEWAY)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _read(certificate: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.encode())


def _key_of(authority: Certified) -> CertificateIssuerPrivateKeyTypes:
    """Also one that Helm made (RSA)."""
    return serialization.load_pem_private_key(authority.key.encode(), None)  # type: ignore[return-value]


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certified:
    written = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certified(certificate.public_bytes(serialization.Encoding.PEM).decode(), written.decode())
