"""OCPP timestamps."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def format_time(at: datetime) -> str:
    """Return an instant as an OCPP timestamp: UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(written: str) -> datetime:
    """Parse a timestamp of the central system; one without a zone is UTC.

    :raises ValueError:
    """
    at = datetime.fromisoformat(written)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
