"""Times on pages read as in the log."""

from datetime import UTC, datetime

from django.template import Context, Template
from django.utils.formats import localize


def test_times_are_written_as_in_the_log():
    noon = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    assert localize(noon) == "2026-11-27 12:00:00"
    assert localize(noon.date()) == "2026-11-27"
    assert Template("{{ at }}").render(Context({"at": noon})) == "2026-11-27 12:00:00"
