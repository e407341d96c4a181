"""django-import-export resource of id tags, by the table and rules of `import_id_tags`."""

from typing import Any

from django.core.exceptions import ValidationError
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource
from import_export.results import Result
from import_export.widgets import Widget
from tablib import Dataset

from id_tags.import_table import COLUMNS, id_tag_row
from id_tags.models import IdTag, fold_id_tag
from id_tags.services.bulk_import import IdTagRow, import_id_tags

NAMES = tuple(column.name for column in COLUMNS)


class CellWidget(Widget):
    """Renders a value as the table has it: text, times in UTC, "" for none."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        if value is None:
            return ""
        return str(value.isoformat()).replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


class ParentField(Field):
    """The id of the group; during an import the row's own text, since the group may not exist yet."""

    def get_value(self, instance: IdTag) -> str:
        group = "" if instance.group is None else instance.group.parent_id_tag
        return str(getattr(instance, "parent_id_tag", group))


class TagLoader(BaseInstanceLoader):
    """Loads all tags of a file with one query, by their case-folded text."""

    def __init__(self, resource: ModelResource, dataset: Dataset) -> None:
        super().__init__(resource, dataset)
        names = dataset["id_tag"] if "id_tag" in dataset.headers else []
        folded = {fold_id_tag(name) for name in names if "\0" not in name}
        self.known = IdTag.objects.select_related("group").in_bulk(folded, field_name="id_tag_folded")

    def get_instance(self, row: dict[str, str]) -> IdTag | None:
        return self.known.get(fold_id_tag(row["id_tag"]))


class IdTagResource(ModelResource):
    """Upserts tags by their case-folded text; a column that the file does not have leaves the stored values.

    Rows are validated one by one for the preview, and stored in one transaction.
    """

    id_tag = Field("id_tag", "id_tag", CellWidget())
    status = Field("status", "status", CellWidget())
    expires_at = Field("expires_at", "expires_at", CellWidget())
    parent_id_tag = ParentField("parent_id_tag", "parent_id_tag", CellWidget())
    max_active_transactions = Field("max_active_transactions", "max_active_transactions", CellWidget())
    note = Field("note", "note", CellWidget())

    class Meta:
        model = IdTag
        name = "Id tags"
        fields = NAMES
        import_id_fields = ("id_tag",)
        instance_loader_class = TagLoader
        skip_unchanged = True
        report_skipped = True

    def before_import(self, dataset: Dataset, **kwargs: Any) -> None:
        self._dataset = dataset
        self._lines: dict[str, int] = {}
        self._rows: list[IdTagRow] = []

    def import_row(self, row: dict[str, str], instance_loader: TagLoader, **kwargs: Any) -> Any:
        self._index = kwargs["row_number"] - 1
        return super().import_row(row, instance_loader, **kwargs)

    def import_instance(self, instance: IdTag, row: dict[str, str], **kwargs: Any) -> None:
        """Set the values of a row on the tag.

        :raises ValidationError: the row breaks the rules of `import_id_tags`.
        """
        line = getattr(self._dataset, "lines", {}).get(self._index, self._index + 2)
        try:
            parsed = self._validated(row, line)
        except ValueError as error:
            raise ValidationError(f"Line {line}: {error}") from None
        self._rows.append(parsed)
        values = {name: getattr(parsed, name) for name in NAMES if name in row and name != "id_tag"}
        if instance.pk is None:
            values["id_tag"] = parsed.id_tag  # a known tag keeps its spelling
        for name, value in values.items():
            setattr(instance, name, value)

    def _validated(self, row: dict[str, str], line: int) -> IdTagRow:
        problem = getattr(self._dataset, "problems", {}).get(self._index)
        if problem:
            raise ValueError(problem)
        parsed = id_tag_row(row)
        first = self._lines.setdefault(fold_id_tag(parsed.id_tag), line)
        if first != line:
            raise ValueError(f"the same as in line {first}")
        return parsed

    def save_instance(self, instance: IdTag, is_create: bool, row: dict[str, str], **kwargs: Any) -> None:
        """Do nothing: after_import stores all rows together."""

    def after_import(self, dataset: Dataset, result: Result, **kwargs: Any) -> None:
        """Store all rows, or none where one is invalid."""
        if kwargs.get("dry_run") or result.has_errors() or result.has_validation_errors():
            return
        import_id_tags(rows=self._rows, fields=set(dataset.headers))
        folded = [fold_id_tag(row.id_tag) for row in self._rows]
        stored = IdTag.objects.in_bulk(folded, field_name="id_tag_folded")
        for row_result in result.rows:
            if row_result.instance is not None:  # import-export writes the LogEntry by the primary key
                row_result.instance.pk = stored[fold_id_tag(row_result.instance.id_tag)].pk
