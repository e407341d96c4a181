"""Badges of registration statuses."""

from django.utils.safestring import SafeString

from evcharging.back_office.display import BAD, GOOD, UNSURE, badge
from stations.models import RegistrationStatus

STATUS_KINDS = {
    RegistrationStatus.ACCEPTED: GOOD,
    RegistrationStatus.PENDING: UNSURE,
    RegistrationStatus.REJECTED: BAD,
}


def status_badge(status: str) -> SafeString:
    """Return a registration status as a badge."""
    return badge(status, STATUS_KINDS[RegistrationStatus(status)])
