"""What the world may read of the ledger: its newest signed checkpoint, and the keys that verify it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from policies.services import checkpoints


@require_safe
def newest(request: HttpRequest) -> HttpResponse:
    """Give the newest checkpoint as it was signed; whoever keeps it can tell a rewritten ledger later."""
    note = checkpoints.newest_note()
    if not note:
        return _text("There is no checkpoint yet.\n", status=404)
    return _text(note)


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Give the public keys, the newest first, a line each."""
    return _text("".join(f"{key.text}\n" for key in checkpoints.known_keys()))


def _text(content: str, *, status: int = 200) -> HttpResponse:
    response = HttpResponse(content, content_type="text/plain; charset=utf-8", status=status)
    response["Cache-Control"] = "no-cache"
    return response
