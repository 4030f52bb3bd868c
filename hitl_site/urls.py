"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from hitl_site import api_docs, health, sign_in
from hitl_site.api import api
from hitl_site.lib import problems

handler400 = "hitl_site.lib.failures.bad_request"
handler403 = "hitl_site.lib.failures.permission_denied"
handler404 = "hitl_site.lib.failures.page_not_found"
handler500 = "hitl_site.lib.failures.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", sign_in.SignIn.as_view(), name="login"),
    path("logout/", sign_in.SignOut.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/docs", api_docs.show, name="api-docs"),
    path("api/v1/", api.urls),
    path("problems/", problems.index, name="problems"),
    path("problems/<slug:slug>/", problems.page, name="problem"),
    path("", include("reviews.urls")),
    path("", include("policies.urls")),
    path("", include("datasets.urls")),
]
