"""Id tags as CSV and XLSX files: what the columns mean, both ways; rows end up in id_tags.services.import_id_tag."""

from datetime import UTC, date, datetime, time
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource
from import_export.widgets import Widget
from tablib import Dataset

from id_tags.models import IdTag, IdTagStatus, fold_id_tag
from id_tags.services import import_id_tag

MAX_LENGTH = 255
MAX_INTEGER = 2**31 - 1
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class TextWidget(Widget):
    """Text. A spreadsheet's number is the digits it shows.

    What a spreadsheet would run as a formula is exported behind an apostrophe, which the import takes off again: a tag
    may have been chosen by a stranger.
    """

    def __init__(self, *, is_required: bool = False, max_length: int | None = None) -> None:
        super().__init__()
        self.is_required = is_required
        self.max_length = max_length

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = _text(value)
        if text[:1] == "'" and text[1:2] in FORMULA_STARTS:
            text = text[1:]
        if self.is_required and not text:
            raise ValueError("This is required.")
        if "\x00" in text:
            raise ValueError("There must be no null character in it.")
        if self.max_length is not None and len(fold_id_tag(text)) > self.max_length:
            raise ValueError(f"At most {self.max_length} characters.")
        return text

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        text = "" if value is None else str(value)
        return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class StatusWidget(Widget):
    """OCPP's words, whatever their case; blank is Accepted."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = _text(value) or IdTagStatus.ACCEPTED.value
        for word in IdTagStatus.values:
            if word.lower() == text.lower():
                return str(word)
        raise ValueError(f"{text!r} is none of {', '.join(IdTagStatus.values)}.")


class InstantWidget(Widget):
    """ISO 8601, or a spreadsheet's date; without an offset it is UTC, without a time the beginning of the day."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> datetime | None:
        instant = value if isinstance(value, date) else self._parsed(_text(value))
        if instant is None:
            return None
        if not isinstance(instant, datetime):
            instant = datetime.combine(instant, time.min)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant

    def render(self, value: datetime | None, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @staticmethod
    def _parsed(text: str) -> date | None:
        if not text:
            return None
        try:
            parsed = parse_datetime(text) or parse_date(text)
        except ValueError:
            parsed = None
        if parsed is None:
            raise ValueError(f"{text!r} is no date or time like 2027-01-31 or 2027-01-31T12:00:00Z.")
        return parsed


class LimitWidget(Widget):
    """A whole number from 0; blank is none."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int | None:
        text = _text(value)
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and int(text) <= MAX_INTEGER):
            raise ValueError(f"{text!r} is no whole number from 0.")
        return int(text)

    def render(self, value: int | None, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)


class ParentField(Field):
    """The group's id, which becomes a group only when the row is stored."""

    def get_value(self, instance: IdTag) -> str:
        group = "" if instance.group is None else instance.group.parent_id_tag
        return str(getattr(instance, "parent_id_tag", group))


class TagLoader(BaseInstanceLoader):
    """Finds the tags that a file names, all with one query; case does not matter."""

    def __init__(self, resource: ModelResource, dataset: Dataset | None = None) -> None:
        super().__init__(resource, dataset)
        names = dataset["id_tag"] if dataset is not None and "id_tag" in (dataset.headers or []) else []
        folded = {fold_id_tag(TextWidget().clean(name)) for name in names if "\x00" not in _text(name)}
        self.known = IdTag.objects.select_related("group").in_bulk(folded, field_name="id_tag_folded")

    def get_instance(self, row: dict[str, Any]) -> IdTag | None:
        return self.known.get(fold_id_tag(TextWidget().clean(row.get("id_tag")))) if row.get("id_tag") else None


class IdTagResource(ModelResource):
    """A file of tags: upsert by the folded tag. A column that is missing leaves what it says as it is."""

    id_tag = Field("id_tag", "id_tag", TextWidget(is_required=True, max_length=MAX_LENGTH))
    status = Field("status", "status", StatusWidget())
    expires_at = Field("expires_at", "expires_at", InstantWidget())
    parent_id_tag = ParentField("parent_id_tag", "parent_id_tag", TextWidget(max_length=MAX_LENGTH))
    max_active_transactions = Field("max_active_transactions", "max_active_transactions", LimitWidget())
    note = Field("note", "note", TextWidget())

    class Meta:
        model = IdTag
        name = "Id tags"
        fields = ("id_tag", "status", "expires_at", "parent_id_tag", "max_active_transactions", "note")
        import_id_fields = ("id_tag",)
        instance_loader_class = TagLoader
        skip_unchanged = True
        report_skipped = True

    def before_import(self, dataset: Dataset, **kwargs: Any) -> None:
        """Read headers generously, and leave out the empty rows that spreadsheets end with."""
        dataset.headers = [_text(header).lower() for header in dataset.headers or []]
        while len(dataset) and not any(_text(value) for value in dataset[-1]):
            del dataset[len(dataset) - 1]

    def import_instance(self, instance: IdTag, row: dict[str, Any], **kwargs: Any) -> None:
        known = instance.id_tag
        super().import_instance(instance, row, **kwargs)
        if instance.pk is not None:
            instance.id_tag = known  # as it was first written

    def save_instance(self, instance: IdTag, is_create: bool, row: dict[str, Any], **kwargs: Any) -> None:
        """Store a row through the service; a preview stores nothing, not even to take it back."""
        if not kwargs.get("dry_run"):
            super().save_instance(instance, is_create, row, **kwargs)

    def do_instance_save(self, instance: IdTag, is_create: bool) -> None:
        stored, _ = import_id_tag(
            id_tag=instance.id_tag,
            status=instance.status,
            expires_at=instance.expires_at,
            parent_id_tag=self.fields["parent_id_tag"].get_value(instance),
            max_active_transactions=instance.max_active_transactions,
            note=instance.note,
        )
        instance.pk, instance.group = stored.pk, stored.group


class SpreadsheetCSV(CSV):
    """CSV with commas, or with the semicolons that spreadsheets write in half of Europe."""

    def create_dataset(self, in_stream: str | bytes, **kwargs: Any) -> Dataset:
        text = in_stream.decode(self.encoding or "utf-8-sig") if isinstance(in_stream, bytes) else in_stream
        header = text.split("\n", 1)[0]
        return super().create_dataset(text, delimiter=";" if header.count(";") > header.count(",") else ",", **kwargs)

    def get_title(self) -> str:
        return "csv"


FORMATS = (SpreadsheetCSV, XLSX)


def _text(value: Any) -> str:
    """Return a cell as text: a spreadsheet's 1234.0 is 1234."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
