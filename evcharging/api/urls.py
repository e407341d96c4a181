"""Routes of the API; the only module of it that imports the apps."""

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import path, register_converter
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from connectors.api import ConnectorViewSet
from evcharging.api.addresses import NameConverter
from id_tags.api import IdTagGroupViewSet, IdTagViewSet, UnknownIdTagViewSet
from meter.api import MeterValueViewSet, TransactionMeterValueViewSet
from stations.api import (
    BatchItemViewSet,
    BatchViewSet,
    CommandViewSet,
    DeviationViewSet,
    RefusedConnectionViewSet,
    StationCommandViewSet,
    StationConfigurationViewSet,
    StationViewSet,
)
from status_notifications.api import StatusNotificationViewSet
from transactions.api import (
    ChargingProfileViewSet,
    CompositeScheduleViewSet,
    OrphanViewSet,
    ReservationViewSet,
    TransactionViewSet,
)

app_name = "api"

register_converter(NameConverter, "name")

router = SimpleRouter(use_regex_path=False)
router.register("stations", StationViewSet, "station")
router.register("commands", CommandViewSet, "command")
router.register("command-batches", BatchViewSet, "command-batch")
router.register("connectors", ConnectorViewSet, "connector")
router.register("id-tags", IdTagViewSet, "id-tag")
router.register("id-tag-groups", IdTagGroupViewSet, "id-tag-group")
router.register("unknown-id-tags", UnknownIdTagViewSet, "unknown-id-tag")
router.register("transactions", TransactionViewSet, "transaction")
router.register("reservations", ReservationViewSet, "reservation")
router.register("charging-profiles", ChargingProfileViewSet, "charging-profile")
router.register("composite-schedules", CompositeScheduleViewSet, "composite-schedule")
router.register("meter-values", MeterValueViewSet, "meter-value")
router.register("status-notifications", StatusNotificationViewSet, "status-notification")
router.register("orphans", OrphanViewSet, "orphan")
router.register("deviations", DeviationViewSet, "deviation")
router.register("refused-connections", RefusedConnectionViewSet, "refused-connection")

nested = [
    path("stations/<name:identity>/commands/", StationCommandViewSet.as_view({"get": "list", "post": "create"})),
    path("stations/<name:identity>/configuration/", StationConfigurationViewSet.as_view({"get": "list"})),
    path("command-batches/<uuid:id>/stations/", BatchItemViewSet.as_view({"get": "list"})),
    path("transactions/<int:transaction_id>/meter-values/", TransactionMeterValueViewSet.as_view({"get": "list"})),
]

SCHEMA_TYPES = [OpenApiJsonRenderer, OpenApiJsonRenderer2]  # as OpenAPI's media type and as JSON

urlpatterns = [
    *nested,
    *router.urls,
    path("schema/", SpectacularAPIView.as_view(renderer_classes=SCHEMA_TYPES), name="schema"),
    path("docs/", staff_member_required(SpectacularSwaggerView.as_view(url_name="api:schema")), name="docs"),
]
