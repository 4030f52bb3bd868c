"""A browser without scripts: cookies, redirects and forms over HTTP, as a person's would send them."""

from __future__ import annotations

import http.client
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Final

from datasets.replay import html_forms
from datasets.replay.html_forms import Control, Form, Page

_TIMEOUT: Final = 60.0
_LONGEST_PAGE: Final = 16 * 1024 * 1024


class Unreachable(Exception):
    """The site gave no answer."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser shows now: the status, the address it ended at, the page, and its source."""

    status: int
    url: str
    page: Page
    text: str = ""

    @property
    def path(self) -> str:
        return urllib.parse.urlsplit(self.url).path


class Browser:
    """One person's browser. Not to be shared between threads."""

    def __init__(self, url: str) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("a site's address starts with http:// or https://")
        self._url = url.rstrip("/")
        # No proxies: the site is ours, and cookies of a session must not pass through anybody else.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )

    def get(self, path: str) -> Shown:
        """Open an address of the site."""
        return self._open(urllib.request.Request(self._url + path))  # noqa: S310 - __init__ let in http and https alone

    def press(self, shown: Shown, form: Form, button: Control | None = None) -> Shown:
        """Send a form as pressing the button does; without one, as the Enter key would."""
        target = urllib.parse.urljoin(shown.url, form.action or shown.url)
        body = urllib.parse.urlencode(form.sent(button), encoding="utf-8").encode("ascii")
        request = urllib.request.Request(target, data=body, method="POST")  # noqa: S310 - where a form of that site sends
        request.add_header("Content-Type", "application/x-www-form-urlencoded")
        request.add_header("Referer", shown.url)
        return self._open(request)

    def _open(self, request: urllib.request.Request) -> Shown:
        request.add_header("Accept", "text/html")
        try:
            try:
                answer = self._opener.open(request, timeout=_TIMEOUT)
            except urllib.error.HTTPError as refused:
                answer = refused  # a page like any other
            with answer:
                text = answer.read(_LONGEST_PAGE).decode("utf-8", "replace")
                return Shown(int(answer.status or 0), answer.url, html_forms.read(text), text)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{request.full_url}: {error}") from error
