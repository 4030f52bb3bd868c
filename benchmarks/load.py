"""A closed-loop load: N clients on kept-alive connections, each sends its next request when answered."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Request = tuple[str, bytes, dict[str, str]]
# Called with the number of the client and the number of the request.
Maker = Callable[[int, int], Request]


@dataclass
class Figures:
    """What one kind of request took, over all rounds so far."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the requests was answered."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def run(url: str, make: Maker, *, clients: int, seconds: float, expected: Sequence[int] = (201,)) -> Figures:
    """Send for ``seconds``; every answer must have an expected status."""
    times: list[list[float]] = [[] for _ in range(clients)]
    failures: list[str] = []
    started = time.perf_counter()
    ends = started + seconds

    def client(index: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        number = 0
        try:
            while time.perf_counter() < ends and not failures:
                path, body, headers = make(index, number)
                asked = time.perf_counter()
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                times[index].append(time.perf_counter() - asked)
                if answer.status not in expected:
                    failures.append(f"{answer.status}: {text[:300]!r}")
                number += 1
        except OSError as error:
            failures.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"the benchmark got an unexpected answer: {failures[0]}")
    return Figures(time.perf_counter() - started, [one for own in times for one in own])
