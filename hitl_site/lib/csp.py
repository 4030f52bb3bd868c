"""The Content Security Policy of every answer, and the browser features that no page may use.

The policy allows nothing but our own files: no inline script, no inline style, no eval, no other host. Pages
may listen to our stream process, which is another origin where it answers on a port of its own.
Trusted Types (``require-trusted-types-for``) forbid turning text into markup except through the one named
policy ``htmx``. htmx 4 does not make that policy itself: it passes answers through ``ttPolicy``, which is
the identity until an extension's ``init`` calls ``api.initSecurity(policy)``;
``static/js/trusted_types.js`` does so. Nobody else may make a policy of that name, since
``'allow-duplicates'`` is not given.

The shape (directive to list of sources) is that of ``SECURE_CSP`` in Django 6, so that the change to
Django's own middleware stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from hitl_site.lib.stream import site_url, stream_url

Policy = Mapping[str, Sequence[str]]

HEADER = "Content-Security-Policy"

SITE_POLICY: Policy = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "object-src": ["'none'"],
    "manifest-src": ["'self'"],
    "worker-src": ["'self'"],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["htmx"],
}

# Django's admin sets style attributes, and the jQuery in it writes innerHTML as soon as it is loaded: under
# Trusted Types it would not start. Scripts still come from our own files only.
ADMIN_POLICY: Policy = {
    **{
        name: sources
        for name, sources in SITE_POLICY.items()
        if name not in {"require-trusted-types-for", "trusted-types"}
    },
    "style-src": ["'self'", "'unsafe-inline'"],
}
ADMIN_PREFIX = "/admin/"

_UNUSED_FEATURES = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
    "gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-create", "screen-wake-lock", "serial", "sync-xhr", "usb",
    "xr-spatial-tracking",
)  # fmt: skip
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in _UNUSED_FEATURES)


def build(policy: Policy) -> str:
    """Return the header's value: directives in the order of the mapping."""
    return "; ".join(" ".join([directive, *sources]) for directive, sources in policy.items())


_ADMIN_VALUE = build(ADMIN_POLICY)


@lru_cache(maxsize=64)
def _site_value(stream_origin: str) -> str:
    sources = [*SITE_POLICY["connect-src"], *([stream_origin] if stream_origin else [])]
    return build({**SITE_POLICY, "connect-src": sources})


def _stream_origin(request: HttpRequest) -> str:
    """Return where the stream answers when that is another origin than the page's, else ""."""
    try:
        return _origin_beside(stream_url(request), site_url(request))
    except (DisallowedHost, ValueError):
        # Answered with 400 by others; this must not make it a 500.
        return ""


@lru_cache(maxsize=64)
def _origin_beside(url: str, own: str) -> str:
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return "" if origin == own or not parts.netloc else origin


class ContentSecurityPolicyMiddleware:
    """Put the policy on every answer, errors included. A header that a view has set already is kept."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        protect(request, response)
        return response


def protect(request: HttpRequest, response: HttpResponseBase) -> None:
    """Put the policy on one answer, unless it has one of its own."""
    if HEADER not in response.headers:
        admin = request.path_info.startswith(ADMIN_PREFIX)
        response.headers[HEADER] = _ADMIN_VALUE if admin else _site_value(_stream_origin(request))
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
