"""JSON on pages is shown in lines, with what the system itself installs."""

from pathlib import Path

from django.conf import settings
from unfold.utils import prettify_json


def test_json_is_shown_in_lines_by_what_the_system_installs():
    assert "Pygments==" in Path(settings.BASE_DIR, "requirements.txt").read_text()  # Unfold goes without it in silence
    shown = prettify_json({"limit": 16, "startPeriod": 0}, None)
    assert shown is not None
    assert shown.count("\n") > 2
