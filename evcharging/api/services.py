"""Everything that writes tokens and idempotency keys."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from evcharging.api.models import ApiToken, IdempotencyKey, Scope
from evcharging.api.tokens import START_LENGTH, digest_of, generate_token

USED_EVERY = timedelta(minutes=1)
KEPT = timedelta(hours=24)
CLAIM = timedelta(minutes=2)
"""How long a request may run before its key can be claimed again: longer than any request waits."""


class TokenNameTaken(Exception):
    """There is, or was, another token of this name."""


class KeyReused(Exception):
    """The key belongs to another request."""


class KeyInProgress(Exception):
    """The first request with this key has no answer yet."""


@transaction.atomic
def create_api_token(
    *, name: str, scopes: Iterable[str], created_by: str, expires_at: datetime | None, now: datetime
) -> tuple[ApiToken, str]:
    """Create a token; return it and its text, which is known to nobody afterwards.

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
    """End a token at once; return whether it was not revoked before."""
    return bool(ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=now))


def note_token_used(*, token: ApiToken, now: datetime) -> None:
    """Write when a token was last used, at most once a minute."""
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=now)


@transaction.atomic
def claim_idempotency_key(*, owner: str, key: str, fingerprint: str, now: datetime) -> IdempotencyKey:
    """Return the row of a key: with an answer to be given again, or without one, to be found by whoever claimed it.

    A claim without an answer is given again after CLAIM: the process that had it was cut off. Keys older than KEPT are
    as good as forgotten.

    :raises KeyReused: :raises KeyInProgress:
    """
    new = IdempotencyKey(owner=owner, key=key, fingerprint=fingerprint, created_at=now, claimed_at=now)
    IdempotencyKey.objects.filter(owner=owner, key=key, created_at__lt=now - KEPT).delete()
    # Of two at the same instant one inserts; the other waits for its commit and finds the row.
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
    """Keep the answer of a claimed key; a claim that somebody else took over since is left to them."""
    IdempotencyKey.objects.filter(pk=row.pk, claimed_at=row.claimed_at).update(
        status=status, headers=dict(headers), body=body
    )


def release_idempotency_key(*, row: IdempotencyKey) -> None:
    """Forget a claim whose request failed, so that it can be sent again."""
    IdempotencyKey.objects.filter(pk=row.pk, claimed_at=row.claimed_at, status=None).delete()


def forget_idempotency_keys(*, now: datetime) -> int:
    """Remove keys older than a day; return how many."""
    removed, _ = IdempotencyKey.objects.filter(created_at__lt=now - KEPT).delete()
    return removed
