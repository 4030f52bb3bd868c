"""Where the stream process answers: server-sent events and long waits, on its own port or behind a proxy."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def stream_url(request: HttpRequest) -> str:
    """Return the stream's address, no slash at its end, as the client that sent ``request`` reaches it."""
    if settings.STREAM_URL:
        return str(settings.STREAM_URL)
    # The same host under the same scheme, next port: what `make run` starts.
    host = urlsplit(f"//{request.get_host()}").hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    return f"{request.scheme}://{host}:{settings.HANDRAIL_STREAM_PORT}"
