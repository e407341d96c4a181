#!/usr/bin/env python
"""The command line of the system: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    """Run a management command; what is wrong with the configuration is one line, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evcharging.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from evcharging.embedded.process import EmbeddedServerError

    try:
        settings.INSTALLED_APPS  # noqa: B018  (read now: some commands would show a broken setting as a traceback)
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, EmbeddedServerError) as error:
        sys.exit(f"error: {error}")
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"error: the database cannot be used: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
