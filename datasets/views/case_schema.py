"""The JSON Schema of the case, for whoever reads our files without our documents."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import FileResponse, HttpRequest
from django.views.decorators.http import require_safe

_FILE: Final = Path("docs") / "case.schema.json"


@require_safe
def show(request: HttpRequest) -> FileResponse:
    """Give the schema of ``handrail.case/2`` to anybody: it holds nothing of this installation."""
    answer = FileResponse(
        (Path(settings.BASE_DIR) / _FILE).open("rb"), content_type="application/schema+json"
    )
    answer.headers["Cache-Control"] = "public, max-age=3600"
    # Read by tools of other origins, such as an editor that checks a file.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
