"""Where this site answers, and its stream process: server-sent events and long waits, on a port of its own or
behind a proxy.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

_SITE_URL: Final = "_handrail_site_url"


def stream_url(request: HttpRequest) -> str:
    """Return the stream's address, no slash at its end, as the client that sent ``request`` reaches it."""
    if settings.STREAM_URL:
        return str(settings.STREAM_URL)
    # The same host under the same scheme, next port: what `make run` starts.
    return _beside(site_url(request), settings.HANDRAIL_STREAM_PORT)


def site_url(request: HttpRequest) -> str:
    """Return this site's address, no slash at its end, as the client that sent ``request`` reaches it.

    Raises ``DisallowedHost`` for a host that is not ours. Looked at once a request.
    """
    kept: str | None = request.__dict__.get(_SITE_URL)
    if kept is None:
        kept = request.__dict__[_SITE_URL] = f"{request.scheme}://{request.get_host()}"
    return kept


@lru_cache(maxsize=64)
def _beside(site: str, port: int) -> str:
    """Return the address of the same host at another port."""
    parts = urlsplit(site)
    host = parts.hostname or "localhost"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
