"""Settings of Django REST framework and drf-spectacular; imported by the settings, so it imports no model."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "evcharging.api.authentication.BearerAuthentication",
        "evcharging.api.authentication.StaffAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["evcharging.api.permissions.MayDo"],
    "DEFAULT_THROTTLE_CLASSES": ["evcharging.api.throttling.RequestThrottle"],
    "DEFAULT_PARSER_CLASSES": ["evcharging.api.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["evcharging.api.parsers.JsonRenderer"],
    "DEFAULT_PAGINATION_CLASS": "evcharging.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "evcharging.api.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "evcharging.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "EV charging",
    "DESCRIPTION": "The API of the central system. How to authenticate, page, filter and repeat: docs/api.md.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["evcharging.api.permissions.AnyClient"],
    "SERVE_URLCONF": "evcharging.urls",
    "COMPONENT_SPLIT_REQUEST": True,
    "PATH_CONVERTER_OVERRIDES": {"name": {"type": "string", "minLength": 1, "maxLength": 255}},
    "ENUM_NAME_OVERRIDES": {
        "RegistrationStatus": "stations.models.RegistrationStatus",
        "IdTagTransform": "stations.models.IdTagTransform",
        "RefusalReason": "stations.models.RefusalReason",
        "ConnectorStatus": "connectors.models.ConnectorStatus",
        "IdTagStatus": "id_tags.models.IdTagStatus",
        "Closing": "transactions.models.Closing",
        "EstimateCause": "transactions.models.EstimateCause",
        "Mark": "transactions.models.Mark",
        "StopReason": "transactions.models.StopReason",
        "OrphanKind": "transactions.api.orphans.KIND_CHOICES",
        "OrphanState": "transactions.models.OrphanState",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "evcharging.api.schema.close_requests",
        "evcharging.api.schema.allow_null_once",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "validatorUrl": None},
}
