"""Validation of id tags and group ids."""

from rest_framework import serializers

from id_tags.models import fold_id_tag

MAX_LENGTH = 255


def validate_name(value: str) -> str:
    """Return a tag or group id that can be stored.

    :raises ValidationError: it is too long after case folding.
    """
    if len(fold_id_tag(value)) > MAX_LENGTH:
        raise serializers.ValidationError(f"Ensure this field has no more than {MAX_LENGTH} characters.")
    return value
