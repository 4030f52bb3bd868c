"""The files that the site serves, looked for once a run: every test client makes its middleware anew.

Only what stands in the folders of the source is remembered, which no test changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from whitenoise.middleware import WhiteNoiseMiddleware
    from whitenoise.responders import Redirect, StaticFile


@pytest.fixture(scope="session", autouse=True)
def _files_found_once() -> Iterator[None]:
    # Not above: it asks for Django's settings, and pytest loads this file before them.
    from whitenoise.middleware import WhiteNoiseMiddleware

    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, StaticFile | Redirect] = {}

    def remember(self: WhiteNoiseMiddleware) -> None:
        if not found:
            before = set(self.files)
            look(self)
            found.update((url, file) for url, file in self.files.items() if url not in before)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield
