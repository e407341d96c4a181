"""Id tags in log lines: at most the last four characters are shown, in whatever form they got there."""

import json
import logging
import os

import pytest

from evcharging.logs.formatters import JsonLines, TextLines
from evcharging.logs.masking import mask_id_tags, masked


@pytest.mark.parametrize(
    ("id_tag", "shown"),
    [("04A1B2C3D4E5F6", "***E5F6"), ("ABCDEFGH", "***EFGH"), ("ABCD", "***CD"), ("A", "***"), ("", "***")],
)
def test_tag_is_masked(id_tag: str, shown: str) -> None:
    assert masked(id_tag) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[2,"1","Authorize",{"idTag":"04A1B2C3"}]', '[2,"1","Authorize",{"idTag":"***B2C3"}]'),
        ('{"idTagInfo":{"parentIdTag" : "PARENT-15"}}', '{"idTagInfo":{"parentIdTag" : "***T-15"}}'),
        (r'{"received":"[2,\"1\",{\"idTag\":\"04A1B2C3\"}]"}', r'{"received":"[2,\"1\",{\"idTag\":\"***B2C3\"}]"}'),
        (r'"idTag":"04A1\"B2C3","x":1', r'"idTag":"***B2C3","x":1'),
        ('"idTag":"04A1B2C3', '"idTag":"***B2C3"'),
        ('"idTag":"***B2C3"', '"idTag":"***B2C3"'),
        ('"idTag":"***"', '"idTag":"***"'),
        ('"idTag":1234567890,"x":1', '"idTag":***7890,"x":1'),
        ('"idTag":null', '"idTag":null'),
        ("StartReport(connector_id=1, id_tag='04A1B2C3')", "StartReport(connector_id=1, id_tag='***B2C3')"),
        ("{'stop_id_tag': '04A1B2C3', 'x': 1}", "{'stop_id_tag': '***B2C3', 'x': 1}"),
        ("id_tag_folded=04a1b2c3 x=1", "id_tag_folded=***b2c3 x=1"),
        (
            "DETAIL:  Key (station_id, id_tag_folded)=(1, 04a1b2c3) already exists.",
            "DETAIL:  Key (station_id, id_tag_folded)=(***) already exists.",
        ),
        ("Key (station_id, number)=(1, 2) already exists.", "Key (station_id, number)=(1, 2) already exists."),
        ("DETAIL:  Failing row contains (1, 04A1B2C3, null).", "DETAIL:  Failing row contains (***)."),
        ("CONTEXT:  unnamed portal parameter $3 = '04A1B2C3'", "CONTEXT:  unnamed portal parameter $3 = '***'"),
        ("Not Found: /api/v1/id-tags/04A1B2C3/", "Not Found: /api/v1/id-tags/***B2C3/"),
        ('{"message":"Not Found: /api/v1/id-tags/04A1/B2C3/"}', '{"message":"Not Found: /api/v1/id-tags/***B2C3/"}'),
        ("PATCH /api/v1/id-tag-groups/PARENT-15/ failed", "PATCH /api/v1/id-tag-groups/***T-15/ failed"),
        ("GET /api/v1/id-tags/?status=x", "GET /api/v1/id-tags/?status=x"),
        ("Bad Request: /api/v1/id-tags/", "Bad Request: /api/v1/id-tags/"),
        ("id_tags.models.UnknownIdTag.DoesNotExist: none", "id_tags.models.UnknownIdTag.DoesNotExist: none"),
    ],
)
def test_tags_in_text_are_masked(text: str, expected: str) -> None:
    assert mask_id_tags(text) == expected


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_line_of_an_exception_is_masked(formatter: logging.Formatter) -> None:
    try:
        raise ValueError('cut: {"idTag": "04A1B2C3')
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", None, (type(error), error, None))
    line = formatter.format(record)
    assert line.count("04A1") == 0
    assert line.count("***B2C3") == 1


def test_json_line_of_a_cut_frame_is_json() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, 'cut: {"idTag":"04A1B2C3', None, None)
    event = json.loads(JsonLines().format(record))
    assert event == {
        "time": event["time"],
        "pid": os.getpid(),
        "level": "INFO",
        "logger": "x",
        "message": 'cut: {"idTag":"***B2C3"',
    }


def test_text_line_has_no_control_sequence_and_no_break() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "a\nb\x1b[31m\x9b %s", ("\r",), None)
    record.action = "\x1b]0;title\x07\n"
    assert TextLines().format(record).partition(" INFO    ")[2] == (
        r"x: a\nb\x1b[31m\x9b \x0d action=\x1b]0;title\x07\n"
    )
