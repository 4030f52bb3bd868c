"""One address: store the body as jsonb, commit, answer."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt  # what is measured has no sessions, and no cookie that another site could use
def insert(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_row (body) VALUES (%s::jsonb)", [request.body.decode()])
    return JsonResponse({"ok": True}, status=201)


urlpatterns = [path("insert", insert)]
