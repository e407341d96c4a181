"""HTTP routes; evcharging.server.health answers /healthz and /readyz before them."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from evcharging.gateway.http import http_urlpatterns

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("evcharging.api.urls")),
    *http_urlpatterns,
]
