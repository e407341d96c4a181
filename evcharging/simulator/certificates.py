"""A charge point's root certificates, and the key pair of its latest certificate signing request."""

import hashlib
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

MAX_CERTIFICATES = 5


class CertificateHash(NamedTuple):
    """Identifies a certificate (CertificateHashDataType of the security white paper)."""

    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


class Certificates:
    """The certificate store of one station; `use` is a CertificateUseEnumType."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._roots: list[tuple[str, CertificateHash]] = []
        self._key: ec.EllipticCurvePrivateKey | None = None

    def install(self, use: str, pem: str) -> str:
        """Apply an InstallCertificate and return its status.

        Rejected: the text holds no certificate. Failed: the store is full.
        """
        certificate = read_certificate(pem)
        if certificate is None:
            return "Rejected"
        entry = (use, _hash(certificate))
        if entry not in self._roots:
            if len(self._roots) >= MAX_CERTIFICATES:
                return "Failed"
            self._roots.append(entry)
        return "Accepted"

    def installed(self, use: str) -> list[CertificateHash]:
        return [name for its_use, name in self._roots if its_use == use]

    def delete(self, name: CertificateHash) -> str:
        kept = [entry for entry in self._roots if not _is_same(entry[1], name)]
        found = len(kept) < len(self._roots)
        self._roots = kept
        return "Accepted" if found else "NotFound"

    def signing_request(self) -> str:
        """Generate a key and return a certificate signing request for it as PEM."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulated"),
                x509.NameAttribute(NameOID.COMMON_NAME, self._identity),
            ]
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._key, SHA256())
        return request.public_bytes(Encoding.PEM).decode()

    def accept_signed(self, chain: str) -> str:
        """Apply a CertificateSigned: the first certificate must hold the key of the latest signing request."""
        certificate = read_certificate(chain)
        if certificate is None or self._key is None or _public_key(certificate) != _public_key(self._key):
            return "Rejected"
        return "Accepted"


def read_certificate(pem: str) -> x509.Certificate | None:
    """Return the first certificate of a PEM text, None if it holds none."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError:
        return None


def _public_key(holder: x509.Certificate | ec.EllipticCurvePrivateKey) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _hash(certificate: x509.Certificate) -> CertificateHash:
    """Return the hash data of a self-signed certificate: its issuer's key is its own."""
    name = certificate.issuer.public_bytes()
    return CertificateHash(
        "SHA256",
        hashlib.sha256(name).hexdigest(),
        hashlib.sha256(_public_key(certificate)).hexdigest(),
        f"{certificate.serial_number:x}",
    )


def _is_same(one: CertificateHash, other: CertificateHash) -> bool:
    return [word.casefold() for word in one] == [word.casefold() for word in other]
