"""Take out of promptfoo's lock what its tests do not need: ``python tests/formats/node/trim_lock.py``.

promptfoo names more than forty optional packages (SDKs, browsers, speech), which need hundreds more. Only its
database binding is wanted. Run after ``npm install --package-lock-only --ignore-scripts`` in this folder.
"""

from __future__ import annotations

import json
from pathlib import Path

LOCK = Path(__file__).parent / "package-lock.json"


def trim() -> None:
    """Write the lock again without optional packages, except the bindings of libsql."""
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    kept = {}
    for place, package in lock["packages"].items():
        binding = place.startswith("node_modules/@libsql/")
        if (package.get("optional") or package.get("devOptional") or package.get("peer")) and not binding:
            continue
        if place != "node_modules/libsql":
            package.pop("optionalDependencies", None)
        package.pop("peerDependencies", None)
        package.pop("peerDependenciesMeta", None)
        package.pop("resolved", None)
        package.pop("funding", None)
        kept[place] = package
    libsql = kept["node_modules/libsql"]["optionalDependencies"]
    for name in [name for name in libsql if f"node_modules/{name}" not in kept]:
        del libsql[name]
    lock["packages"] = kept
    LOCK.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    trim()
