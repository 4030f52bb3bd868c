"""Where the server's resources are, and the requests that ask for them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlencode, urljoin, urlsplit, urlunsplit

from handrail.canonical import JSONObject
from handrail.wire import Request


@dataclass(frozen=True)
class Endpoints:
    """Builds requests below one base URL."""

    base_url: str
    timeout: float

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Request:
        """Return a request that reads."""
        return Request("GET", self._url(path, query), timeout=self.timeout)

    def post(self, path: str, document: JSONObject, *, idempotency_key: str | None = None) -> Request:
        """Return a request that acts."""
        encoded = json.dumps(document, separators=(",", ":")).encode()
        return self.post_encoded(path, encoded, idempotency_key=idempotency_key)

    def post_encoded(
        self,
        path: str,
        body: bytes,
        *,
        idempotency_key: str | None = None,
        media_type: str = "application/json",
    ) -> Request:
        """Return a request that acts, with its body as it stands."""
        headers = {"Content-Type": media_type}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return Request("POST", self._url(path, None), timeout=self.timeout, headers=headers, body=body)

    def published_keys(self) -> Request:
        """Return the request for the keys that sign permits."""
        return Request("GET", f"{self.base_url}/.well-known/jwks.json", timeout=self.timeout)

    def wait(self, action_id: str, *, link: str | None, seconds: int, timeout: float) -> Request:
        """Return a long-poll, at ``link`` where the server named a place that may be given the key."""
        here = self._url(f"actions/{quote(action_id, safe='')}", None)
        url = self.trusted(link) or here
        parts = urlsplit(url)
        return Request(
            "GET", urlunsplit(parts._replace(query=f"wait={seconds}", fragment="")), timeout=timeout
        )

    def trusted(self, link: str | None) -> str | None:
        """Return ``link`` as a whole URL if it leads to the same scheme and host (the port may differ: the
        waiting process has its own), else None. The key is never sent anywhere else."""
        if link is None:
            return None
        try:
            url = urljoin(self.base_url + "/", link)
            there, here = urlsplit(url), urlsplit(self.base_url)
            same = (there.scheme, there.hostname) == (here.scheme, here.hostname)
            return url if same and there.username is None and there.port != 0 else None
        except ValueError:
            return None

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return f"{self.base_url}/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")


def segment(identifier: str) -> str:
    """Return an id as one path segment."""
    if not identifier:
        raise ValueError("an id is not empty")
    quoted = quote(identifier, safe="")
    # What is only dots would be a way up: whoever stands between may take it.
    return quoted if identifier.strip(".") else quoted.replace(".", "%2E")


def checked_base_url(base_url: str) -> str:
    """Return the site's address, or raise ``ValueError``; warn of a key sent in clear.

    A last slash goes, and so does ``/api/v1``: whoever has called the API by hand has that address at hand.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url is http://host or https://host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("base_url has no user, query or fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        warnings.warn("the agent's key goes over plain http: use https", stacklevel=4)
    return base_url.rstrip("/").removesuffix("/api/v1")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
