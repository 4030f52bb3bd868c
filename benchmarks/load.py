"""A closed-loop load: N clients on kept-alive connections, each sends its next request when answered."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

Request = tuple[str, bytes, dict[str, str]]


@dataclass(frozen=True)
class Figures:
    """Requests a second, and milliseconds at two percentiles."""

    per_second: float
    p50: float
    p99: float


def run(url: str, make: Callable[[int, int], Request], *, clients: int, seconds: float) -> Figures:
    """Send for ``seconds``; every answer must be a 201. ``make(client, n)`` gives path, body and headers."""
    times: list[list[float]] = [[] for _ in range(clients)]
    failures: list[str] = []
    ends = time.perf_counter() + seconds

    def client(index: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        number = 0
        while time.perf_counter() < ends and not failures:
            path, body, headers = make(index, number)
            started = time.perf_counter()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            times[index].append(time.perf_counter() - started)
            if answer.status != 201:
                failures.append(f"{answer.status}: {text[:300]!r}")
            number += 1
        connection.close()

    threads = [threading.Thread(target=client, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"the benchmark got an unexpected answer: {failures[0]}")
    every = sorted(one for own in times for one in own)
    return Figures(
        per_second=len(every) / seconds,
        p50=every[len(every) // 2] * 1000,
        p99=every[min(len(every) - 1, int(len(every) * 0.99))] * 1000,
    )
