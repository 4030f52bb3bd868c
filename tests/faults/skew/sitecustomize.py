# mypy: ignore-errors
"""Puts the clock of one Python process forward, for a test: a folder on its PYTHONPATH, and nothing else.

Python imports a module of this name at its start. Only what Python code reads is changed; the sockets and the
database of that process live in true time.
"""

import datetime
import os
import time

_AHEAD = float(os.environ["HANDRAIL_TEST_CLOCK_AHEAD"])
_true_time, _true_datetime = time.time, datetime.datetime


class _Kind(type):
    """Takes true times for its own, so that values made elsewhere keep their type."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _true_datetime)

    def __subclasscheck__(cls, subclass):
        return issubclass(subclass, _true_datetime)


class _Ahead(_true_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return _true_datetime.now(tz) + datetime.timedelta(seconds=_AHEAD)

    @classmethod
    def utcnow(cls):
        return _true_datetime.utcnow() + datetime.timedelta(seconds=_AHEAD)


time.time = lambda: _true_time() + _AHEAD
datetime.datetime = _Ahead
