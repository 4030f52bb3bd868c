"""Which screen a person has, as far as their browser tells."""

from __future__ import annotations

from hitl_site.lib.http import AuthenticatedRequest
from reviews.services.decisions import Channel


def is_telephone(request: AuthenticatedRequest) -> bool:
    """Say whether the browser calls itself one of a telephone (Sec-CH-UA-Mobile, or "Mobi" in its name)."""
    hint = request.headers.get("Sec-CH-UA-Mobile", "").strip()
    return hint == "?1" or (hint == "" and "Mobi" in request.headers.get("User-Agent", ""))


def channel_of(request: AuthenticatedRequest) -> Channel:
    """Return where an answer is given: ``screen`` is what the page's script measured, if there is one.

    Nobody is kept from lying about it. It keeps an honest person from letting run what they cannot see whole.
    """
    small = request.POST.get("screen") == "small" or is_telephone(request)
    return Channel.SMALL_SCREEN if small else Channel.WEB
