"""Child processes of one machine: kept alive, stopped in order, never left behind."""

from hitl_site.lib.supervision.console import Console
from hitl_site.lib.supervision.processes import Account, Program, spawn, stop, wait_until
from hitl_site.lib.supervision.roster import AlreadyRunning, Roster
from hitl_site.lib.supervision.supervisor import Interrupted, KeepsFailing, Supervisor

__all__ = [
    "Account",
    "AlreadyRunning",
    "Console",
    "Interrupted",
    "KeepsFailing",
    "Program",
    "Roster",
    "Supervisor",
    "spawn",
    "stop",
    "wait_until",
]
