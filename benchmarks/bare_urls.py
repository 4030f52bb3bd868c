"""Two addresses: store the body as jsonb, commit, answer; by a statement, and as Django does it by itself."""

from __future__ import annotations

import orjson
from django.db import connection, models
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


class BenchRow(models.Model):
    """The same row, by the ORM."""

    body = models.JSONField()

    class Meta:
        app_label = "benchmarks"
        db_table = "bench_row"
        managed = False


@csrf_exempt  # what is measured has no sessions, and no cookie that another site could use
def insert(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_row (body) VALUES (%s::jsonb)", [request.body.decode()])
    return JsonResponse({"ok": True}, status=201)


@csrf_exempt  # as above
def create(request: HttpRequest) -> JsonResponse:
    BenchRow(body=orjson.loads(request.body)).save(force_insert=True)
    return JsonResponse({"ok": True}, status=201)


urlpatterns = [path("insert", insert), path("create", create)]
