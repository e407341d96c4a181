"""manage.py create_api_token: create an API token."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from evcharging.api.models import Scope
from evcharging.api.services import TokenNameTaken, create_api_token

MAX_DAYS = 36_500


class Command(BaseCommand):
    help = "Create an API token; stdout is the token, which is shown only once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="of the program that uses it")
        parser.add_argument("--scopes", default="read", help=f"some of {','.join(Scope.values)} (%(default)s)")
        parser.add_argument("--days", type=int, help="how long it is valid; default: without end")

    def handle(self, *args: Any, **options: Any) -> None:
        """:raises CommandError: the name is taken or too long, a scope is unknown, or --days out of range."""
        name, days = options["name"].strip(), options["days"]
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        unknown = sorted(set(scopes) - set(Scope.values))
        if unknown or not scopes:
            raise CommandError(f"--scopes takes {', '.join(Scope.values)}")
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise CommandError("a name has 1 to 100 printable characters")
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days takes 1 to {MAX_DAYS}")
        now = timezone.now()
        expires_at = None if days is None else now + timedelta(days=days)
        try:
            token, text = create_api_token(
                name=name, scopes=scopes, created_by="command line", expires_at=expires_at, now=now
            )
        except TokenNameTaken as error:
            raise CommandError(str(error)) from None
        until = "without end" if expires_at is None else f"until {expires_at:%Y-%m-%d %H:%M} UTC"
        self.stderr.write(f"{token.name}: {', '.join(token.scopes)}, {until}")
        self.stdout.write(text)
