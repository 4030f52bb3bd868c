"""Replay: recorded behaviour of agents, fed through the running product over HTTP as agents and people would.

The client has a release of its own and is not among the site's packages. This is the one place that makes it
importable: from the sources beside this site, behind whatever is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

_CLIENT = Path(__file__).resolve().parents[2] / "sdk" / "python" / "src"
if str(_CLIENT) not in sys.path:
    sys.path.append(str(_CLIENT))
