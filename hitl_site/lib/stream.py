"""Where the stream process answers: server-sent events and long waits, on its own port or behind a proxy."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def stream_url(request: HttpRequest) -> str:
    """Return the stream's address, no slash at its end, as the client that sent ``request`` reaches it."""
    if settings.STREAM_URL:
        return str(settings.STREAM_URL)
    # The same host under the same scheme, next port: what `make run` starts.
    return f"{request.scheme}://{_host_of(request.get_host())}:{settings.HANDRAIL_STREAM_PORT}"


@lru_cache(maxsize=64)
def _host_of(address: str) -> str:
    """Return the host of ``host:port`` as it stands in a URL."""
    host = urlsplit(f"//{address}").hostname or "localhost"
    return f"[{host}]" if ":" in host else host
