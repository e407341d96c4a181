"""Operations that make a station fetch or upload a file, and those on its certificates."""

from stations.operations import Instant, Operation, operation


@operation
class UploadDiagnostics(Operation, frozen=True):
    """`since` and `until`: of what the file tells about."""

    name = "upload_diagnostics"
    source = "OCPP 1.6 §5.9"
    purpose = "Upload diagnostics to a URL."
    is_repeatable = False
    effect_within_s = 3600

    location: str
    since: Instant | None = None
    until: Instant | None = None
    retries: int | None = None
    retry_after_s: int | None = None


@operation
class UploadLog(Operation, frozen=True):
    """`log`: diagnostics or security. `request_id`: what progress notifications name."""

    name = "upload_log"
    source = "security white paper"
    purpose = "Upload a log to a URL."
    is_repeatable = False
    effect_within_s = 3600

    log: str
    request_id: int
    location: str
    since: Instant | None = None
    until: Instant | None = None
    retries: int | None = None
    retry_after_s: int | None = None


@operation
class UpdateFirmware(Operation, frozen=True):
    name = "update_firmware"
    source = "OCPP 1.6 §5.19"
    purpose = "Install firmware from a URL."
    is_repeatable = False
    effect_within_s = 86_400

    location: str
    fetch_at: Instant
    retries: int | None = None
    retry_after_s: int | None = None


@operation
class UpdateSignedFirmware(Operation, frozen=True):
    """`request_id`: what progress notifications name. Certificate in PEM, signature in Base64."""

    name = "update_signed_firmware"
    source = "security white paper"
    purpose = "Install signed firmware from a URL."
    is_repeatable = False
    effect_within_s = 86_400

    request_id: int
    location: str
    fetch_at: Instant
    signing_certificate: str
    signature: str
    install_at: Instant | None = None
    retries: int | None = None
    retry_after_s: int | None = None


CENTRAL_SYSTEM_ROOT, MANUFACTURER_ROOT = "central_system_root", "manufacturer_root"


@operation
class InstallCertificate(Operation, frozen=True):
    """`use`: central_system_root or manufacturer_root."""

    name = "install_certificate"
    source = "security white paper"
    purpose = "Install a root certificate."

    use: str
    certificate: str


@operation
class ListCertificates(Operation, frozen=True):
    """`use`: central_system_root or manufacturer_root."""

    name = "list_certificates"
    source = "security white paper"
    purpose = "List the root certificates."

    use: str


@operation
class DeleteCertificate(Operation, frozen=True):
    """The hashes are those that the station listed."""

    name = "delete_certificate"
    source = "security white paper"
    purpose = "Remove an installed root certificate."

    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


@operation
class DeliverCertificate(Operation, frozen=True):
    """`chain` in PEM, the station's own certificate first."""

    name = "deliver_certificate"
    source = "security white paper"
    purpose = "Bring the certificate that the station asked for."

    chain: str
