"""Writes of tokens and idempotency keys."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from evcharging.api.models import ApiToken, IdempotencyKey, Scope
from evcharging.api.tokens import START_LENGTH, digest_of, generate_token

USED_EVERY = timedelta(minutes=1)
KEPT = timedelta(hours=24)
CLAIM = timedelta(minutes=2)
"""Age at which a claim without an answer expires; longer than any request runs."""


class TokenNameTaken(Exception):
    """There is another token of this name, perhaps a revoked one."""


class KeyReused(Exception):
    """The key belongs to another request."""


class KeyInProgress(Exception):
    """The first request with this key has no answer yet."""


@transaction.atomic
def create_api_token(
    *, name: str, scopes: Iterable[str], created_by: str, expires_at: datetime | None, now: datetime
) -> tuple[ApiToken, str]:
    """Create a token; return it and its text, which is not stored.

    :raises TokenNameTaken: :raises ValueError: no scopes, or unknown ones.
    """
    chosen = sorted({Scope(scope).value for scope in scopes})
    if not chosen:
        raise ValueError("a token needs a scope")
    text = generate_token()
    token = ApiToken(
        name=name,
        digest=digest_of(text),
        start=text[:START_LENGTH],
        scopes=chosen,
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
    )
    ApiToken.objects.bulk_create([token], ignore_conflicts=True)
    stored = ApiToken.objects.get(name=name)
    if stored.digest != token.digest:
        raise TokenNameTaken(f"there is a token of the name {name!r} already")
    return stored, text


@transaction.atomic
def revoke_api_token(*, token_id: int, now: datetime) -> bool:
    """Revoke a token; return False if it was revoked already."""
    return bool(ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=now))


def note_token_used(*, token: ApiToken, now: datetime) -> None:
    """Update last_used_at, at most once a minute."""
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=now)


@transaction.atomic
def claim_idempotency_key(*, owner: str, key: str, fingerprint: str, now: datetime) -> IdempotencyKey:
    """Return the row of a key: with the stored answer, or without one, claimed for this request.

    A claim without an answer can be claimed again after CLAIM, as its process died. Keys older than KEPT are ignored.

    :raises KeyReused: :raises KeyInProgress:
    """
    new = IdempotencyKey(owner=owner, key=key, fingerprint=fingerprint, created_at=now, claimed_at=now)
    IdempotencyKey.objects.filter(owner=owner, key=key, created_at__lt=now - KEPT).delete()
    # Of two concurrent requests one inserts; the other waits for its commit and finds the row.
    IdempotencyKey.objects.bulk_create([new], ignore_conflicts=True)
    row = IdempotencyKey.objects.select_for_update(no_key=True).get(owner=owner, key=key)
    if row.pk == new.pk:
        return row
    if row.fingerprint != fingerprint:
        raise KeyReused
    if row.status is None:
        if row.claimed_at > now - CLAIM:
            raise KeyInProgress
        row.claimed_at = now
        row.save(update_fields=["claimed_at"])
    return row


def store_answer(*, row: IdempotencyKey, status: int, headers: Mapping[str, str], body: str) -> None:
    """Store the answer of a claimed key, unless the claim expired and another request has it."""
    IdempotencyKey.objects.filter(pk=row.pk, claimed_at=row.claimed_at).update(
        status=status, headers=dict(headers), body=body
    )


def release_idempotency_key(*, row: IdempotencyKey) -> None:
    """Delete the claim of a request that failed, so that it can be repeated."""
    IdempotencyKey.objects.filter(pk=row.pk, claimed_at=row.claimed_at, status=None).delete()


def forget_idempotency_keys(*, now: datetime) -> int:
    """Delete keys older than a day; return how many."""
    removed, _ = IdempotencyKey.objects.filter(created_at__lt=now - KEPT).delete()
    return removed
