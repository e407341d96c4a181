"""HTTP routes; /healthz and /readyz are answered before them, by evcharging.server.health."""

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
