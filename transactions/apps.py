"""Transactions: charging sessions, each stored once."""

from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    name = "transactions"
    verbose_name = "Transactions"

    def ready(self) -> None:
        from transactions import receivers  # noqa: F401 - connects them; needs the app registry
