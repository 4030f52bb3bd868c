"""One address: say what the gate says to PostgreSQL, word for word, and answer. Nothing is judged."""

from __future__ import annotations

import os
from pathlib import Path

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks import statements
from hitl_site.lib import rows

_RECORDED = statements.recorded(Path(os.environ["HANDRAIL_BENCH_STATEMENTS"]))


@csrf_exempt  # what is measured has no sessions, and no cookie that another site could use
def insert(request: HttpRequest) -> JsonResponse:
    len(request.body)  # read, as every view does that takes one
    mark = statements.fresh_mark()
    for statement in _RECORDED:
        with rows.server_side_cursor() as cursor:
            cursor.execute(statement.text, statement.renewed(mark))
            cursor.fetchone()
    return JsonResponse({"ok": True}, status=201)


urlpatterns = [path("insert", insert)]
