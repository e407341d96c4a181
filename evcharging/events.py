"""The two ways a domain signal is sent: now inside the transaction, or after its commit."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal


def emit(signal: Signal, sender: type, **event: Any) -> None:
    """Send `signal` now, inside the current database transaction; a receiver's error rises and rolls it back.

    For writes of other apps that must stand or fall with the fact. Receivers are short and do database work only.
    """
    signal.send(sender, **event)


def publish(signal: Signal, sender: type, **event: Any) -> None:
    """Send `signal` once the current database transaction is committed; never sent if it rolls back.

    For those who only want to know. A receiver's error is logged by Django and disturbs nobody else.
    """
    transaction.on_commit(lambda: signal.send_robust(sender, **event), robust=True)
