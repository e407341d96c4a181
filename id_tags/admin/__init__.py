"""Id tags in the back office."""

from id_tags.admin import groups, local_lists, operation_forms, station_panels, tags, unknown

__all__ = ["groups", "local_lists", "operation_forms", "station_panels", "tags", "unknown"]
