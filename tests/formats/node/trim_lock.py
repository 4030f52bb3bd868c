"""Take out of promptfoo's lock what its tests do not need: ``python tests/formats/node/trim_lock.py``.

promptfoo names more than forty optional packages (SDKs, browsers, speech), which need hundreds more. What
stays is what it cannot start without, and the bindings of its database for the usual machines. Run after
``npm install --package-lock-only --ignore-scripts`` in this folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent / "package-lock.json"
DATABASE = "node_modules/libsql"
UNUSED = ("optionalDependencies", "peerDependenciesMeta", "resolved", "funding")


def trim() -> None:
    """Write the lock again with what is reached by needs alone, from the root and the database."""
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    packages: dict[str, dict[str, Any]] = lock["packages"]
    wanted = ["", *(place for place in packages if place.startswith("node_modules/@libsql/"))]
    kept: set[str] = set()
    while wanted:
        place = wanted.pop()
        if place not in kept:
            kept.add(place)
            wanted.extend(found for name in _needs(packages[place]) if (found := _at(packages, place, name)))
    bindings = packages[DATABASE]["optionalDependencies"]
    there = {name: version for name, version in bindings.items() if f"node_modules/{name}" in kept}
    for place in kept:
        peers = packages[place].get("peerDependencies", {})
        for name in peers.keys() - set(_needs(packages[place])):
            del peers[name]
        if not place.startswith("node_modules/@libsql/"):
            for flag in ("optional", "devOptional", "peer"):
                packages[place].pop(flag, None)
        for member in UNUSED:
            packages[place].pop(member, None)
    packages[DATABASE]["optionalDependencies"] = there
    lock["packages"] = {place: packages[place] for place in sorted(kept)}
    LOCK.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


def _needs(package: dict[str, Any]) -> list[str]:
    optional = {
        name for name, about in package.get("peerDependenciesMeta", {}).items() if about.get("optional")
    }
    return [*package.get("dependencies", {}), *(set(package.get("peerDependencies", {})) - optional)]


def _at(packages: dict[str, dict[str, Any]], place: str, name: str) -> str | None:
    """Return where a package finds another one: beside its own files, or further up."""
    while True:
        found = f"{place}/node_modules/{name}" if place else f"node_modules/{name}"
        if found in packages:
            return found
        if not place:
            return None
        place = place.rpartition("node_modules/")[0].rstrip("/")


if __name__ == "__main__":
    trim()
