"""TLS with a certificate on both sides, out of what a Secret holds; keys never touch a disk."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass, field

#: OpenSSL's codes (x509_vfy.h) of a chain that does not end at the trusted CA: a signature that fails (a CA of the
#: same name), self-signed ones, no issuer.
_UNKNOWN_AUTHORITY = frozenset({7, 18, 19, 20, 21})


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM texts, as in a Secret's `ca.crt`, `tls.crt`, `tls.key`: whom to trust, and who one is."""

    ca: str
    certificate: str
    key: str = field(repr=False)


def client_context(identity: Identity) -> ssl.SSLContext:
    """A client that trusts the CA alone, checks names and shows its certificate. Raises ValueError for bad PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=identity.ca)
        # the ssl module loads a chain from files only: one in memory, gone with its descriptor
        descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, f"{identity.key}\n{identity.certificate}\n".encode())
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    except (ssl.SSLError, OSError) as fault:
        raise ValueError(f"the certificates cannot be used: {reason_of(fault)}") from fault
    return context


def shaken_hands(plain: socket.socket, context: ssl.SSLContext, server_name: str) -> ssl.SSLSocket:
    """Wrap a connected socket; it is closed when that fails. Raises OSError (ssl.SSLError is one)."""
    try:
        return context.wrap_socket(plain, server_hostname=server_name)
    except OSError:
        plain.close()
        raise


def reason_of(fault: BaseException) -> str:
    """What went wrong in words for a status line: Go's, which Cilium shows, with OpenSSL's behind."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        why = f"x509: {fault.verify_message}"
        if fault.verify_code in _UNKNOWN_AUTHORITY:
            why = f"x509: certificate signed by unknown authority ({fault.verify_message})"
        return f"tls: failed to verify certificate: {why}"
    if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "tls: the server hung up after the handshake, as one does that refuses our certificate"
    if isinstance(fault, ssl.SSLError):
        alert = (fault.reason or str(fault)).lower().replace("_", " ")
        return f"tls: {alert}"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror.lower()
    return str(fault) or type(fault).__name__


def alert_of(connected: socket.socket | None, fault: OSError) -> OSError:
    """Why a write failed. With TLS 1.3 a server refuses a client's certificate after the handshake: its alert waits to
    be read while our first write may already fail."""
    if isinstance(connected, ssl.SSLSocket):
        try:
            connected.recv(1)
        except OSError as alert:
            return alert
    return fault
