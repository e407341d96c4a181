"""Badges of tags and of local list updates."""

from django.utils import timezone
from django.utils.safestring import SafeString

from evcharging.back_office.display import BAD, GOOD, NEWS, UNSURE, badge
from id_tags.models import IdTag, IdTagStatus, LocalListUpdate, LocalListUpdateStatus

STATUS_KINDS = {
    IdTagStatus.ACCEPTED: GOOD,
    IdTagStatus.BLOCKED: BAD,
    IdTagStatus.EXPIRED: UNSURE,
    IdTagStatus.INVALID: BAD,
}
UPDATE_KINDS = {
    LocalListUpdateStatus.SENDING: NEWS,
    LocalListUpdateStatus.ACCEPTED: GOOD,
    LocalListUpdateStatus.FAILED: BAD,
}


def status_badge(tag: IdTag) -> SafeString:
    """Return the status of a tag as a badge; an accepted tag past its expiry is shown as expired."""
    if tag.status == IdTagStatus.ACCEPTED and tag.expires_at is not None and tag.expires_at <= timezone.now():
        return badge("Expired", UNSURE, "Accepted, but past its expiry")
    return badge(tag.status, STATUS_KINDS[IdTagStatus(tag.status)])


def update_badge(update: LocalListUpdate) -> SafeString:
    """Return the state of a local list update as a badge, with the parts sent while it runs."""
    sent = update.parts - len(update.remaining)
    text = f"Part {sent} of {update.parts}" if update.status == "sending" else update.get_status_display()
    return badge(text, UPDATE_KINDS[LocalListUpdateStatus(update.status)])
