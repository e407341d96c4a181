"""The two ways to send a domain signal: inside the database transaction, or after its commit."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal


def emit(signal: Signal, sender: type, **event: Any) -> None:
    """Send `signal` at once, inside the current database transaction; a receiver's error rolls it back.

    For writes of other apps that must be atomic with it. Receivers are short and only use the database.
    """
    signal.send(sender, **event)


def publish(signal: Signal, sender: type, **event: Any) -> None:
    """Send `signal` after the commit of the current database transaction; not at all if it rolls back.

    For receivers that only react to it. Django logs a receiver's error and calls the others.
    """
    transaction.on_commit(lambda: signal.send_robust(sender, **event), robust=True)
