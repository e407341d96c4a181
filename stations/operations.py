"""What the central system may ask of a 1.6 station: one entry per Action, and what its answers mean."""

from typing import NamedTuple

ACCEPTED = frozenset({"Accepted"})
PENDING_MAY = "to be configured and triggered"


class Operation(NamedTuple):
    """One CSMS-initiated Action.

    `successes`: status words of an answer that mean yes; empty where the answer carries no status. `is_for_pending`:
    may be sent to a station that waits for acceptance (OCPP 1.6 §4.2). `is_repeatable`: sent twice it does no more
    than once. `follow_up_s`: how long what follows an accepted command may take (s); 0 where the answer is the end.
    """

    source: str
    purpose: str
    successes: frozenset[str] = ACCEPTED
    is_for_pending: bool = False
    is_repeatable: bool = True
    follow_up_s: int = 0


OPERATIONS = {
    "CancelReservation": Operation("OCPP 1.6 §5.1", "Give up a reservation."),
    "CertificateSigned": Operation("security white paper", "Bring the certificate that the station asked for."),
    "ChangeAvailability": Operation(
        "OCPP 1.6 §5.2",
        "Take a connector, or the whole station, into or out of service.",
        frozenset({"Accepted", "Scheduled"}),
        follow_up_s=7 * 86_400,
    ),
    "ChangeConfiguration": Operation(
        "OCPP 1.6 §5.3", "Set one configuration key.", frozenset({"Accepted", "RebootRequired"}), is_for_pending=True
    ),
    "ClearCache": Operation("OCPP 1.6 §5.4", "Make the station forget the tags it has seen."),
    "ClearChargingProfile": Operation("OCPP 1.6 §5.5", "Remove charging profiles."),
    "DataTransfer": Operation("OCPP 1.6 §5.6", "Send a vendor's own message.", is_repeatable=False),
    "DeleteCertificate": Operation("security white paper", "Remove an installed root certificate."),
    "ExtendedTriggerMessage": Operation(
        "security white paper", "Make the station send a message now.", is_for_pending=True
    ),
    "GetCompositeSchedule": Operation("OCPP 1.6 §5.7", "Read the limits that result from all charging profiles."),
    "GetConfiguration": Operation("OCPP 1.6 §5.8", "Read configuration keys.", frozenset(), is_for_pending=True),
    "GetDiagnostics": Operation(
        "OCPP 1.6 §5.9", "Upload diagnostics to a URL.", frozenset(), is_repeatable=False, follow_up_s=3600
    ),
    "GetInstalledCertificateIds": Operation(
        "security white paper", "List the root certificates.", frozenset({"Accepted", "NotFound"})
    ),
    "GetLocalListVersion": Operation("OCPP 1.6 §5.10", "Ask which local list the station has.", frozenset()),
    "GetLog": Operation(
        "security white paper",
        "Upload a log to a URL.",
        frozenset({"Accepted", "AcceptedCanceled"}),
        is_repeatable=False,
        follow_up_s=3600,
    ),
    "InstallCertificate": Operation("security white paper", "Install a root certificate."),
    "RemoteStartTransaction": Operation(
        "OCPP 1.6 §5.11", "Start charging from here.", is_repeatable=False, follow_up_s=300
    ),
    "RemoteStopTransaction": Operation("OCPP 1.6 §5.12", "Stop a transaction from here.", follow_up_s=300),
    "ReserveNow": Operation("OCPP 1.6 §5.13", "Keep a connector for a tag."),
    "Reset": Operation("OCPP 1.6 §5.14", "Restart the station.", is_repeatable=False, follow_up_s=900),
    "SendLocalList": Operation("OCPP 1.6 §5.15", "Give the station tags to authorise by itself."),
    "SetChargingProfile": Operation("OCPP 1.6 §5.16", "Limit power or current over time."),
    "SignedUpdateFirmware": Operation(
        "security white paper",
        "Install signed firmware from a URL.",
        frozenset({"Accepted", "AcceptedCanceled"}),
        is_repeatable=False,
        follow_up_s=86_400,
    ),
    "TriggerMessage": Operation("OCPP 1.6 §5.17", "Make the station send a message now.", is_for_pending=True),
    "UnlockConnector": Operation("OCPP 1.6 §5.18", "Unlock a cable.", frozenset({"Unlocked"}), is_repeatable=False),
    "UpdateFirmware": Operation(
        "OCPP 1.6 §5.19", "Install firmware from a URL.", frozenset(), is_repeatable=False, follow_up_s=86_400
    ),
}


def is_success(action: str, result_status: str) -> bool:
    """Whether an answer with this status word means yes; of an unknown Action, Accepted or no word does."""
    operation = OPERATIONS.get(action)
    if operation is None:
        return result_status in ("", "Accepted")
    return not operation.successes or result_status in operation.successes
