"""``@requires_approval``: a function that cannot be called except as decided."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

from handrail.async_client import AsyncClient
from handrail.canonical import JSONObject, snapshot_object
from handrail.client import WAIT_TIMEOUT, Client
from handrail.proposals import RunOptions

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

# A value, or a function of the proposed arguments that makes it. (Any: its author knows what it reads.)
Told: TypeAlias = V | Callable[[dict[str, Any]], V | None] | None
AnyClient: TypeAlias = Client | AsyncClient

_FROM_OUTSIDE = ("self", "cls")


def requires_approval(
    action_type: str,
    *,
    client: AnyClient | Callable[[], AnyClient],
    context: Told[Mapping[str, object]] = None,
    confidence: Told[float] = None,
    judge: Told[Mapping[str, object]] = None,
    samples: Told[Sequence[Mapping[str, object]]] = None,
    reason: Told[str] = None,
    subject: Told[str] = None,
    agent_version: Told[str] = None,
    conversation_id: Told[str] = None,
    parent_action_id: Told[str] = None,
    idempotency_key: Told[str] = None,
    timeout: Told[str] = None,
    wait_timeout: float = WAIT_TIMEOUT,
    not_reviewed: Collection[str] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Guard a function, plain or async: it runs with the decided arguments, or raises a ``NotApproved``.

    The call's arguments, defaults included, are bound by name into the JSON object that a person sees. Each
    option is a value, or a callable that gets the proposed arguments. ``not_reviewed`` names parameters that
    are no part of the action (a database session; ``self`` and ``cls`` always): they are passed on as they
    are, so nothing that changes what the action does may be among them. ``client`` may be a function that
    makes it.
    """
    told: dict[str, object] = {
        "context": context,
        "confidence": confidence,
        "judge": judge,
        "samples": samples,
        "reason": reason,
        "subject": subject,
        "agent_version": agent_version,
        "conversation_id": conversation_id,
        "parent_action_id": parent_action_id,
        "idempotency_key": idempotency_key,
        "timeout": timeout,
    }

    def guard(function: Callable[P, R]) -> Callable[P, R]:
        binding = _Binding.of(function, not_reviewed)
        if inspect.iscoroutinefunction(function):
            guarded: Callable[P, Any] = _guard_async(
                function, binding, action_type, client, told, wait_timeout
            )
        else:
            guarded = _guard(function, binding, action_type, client, told, wait_timeout)
        return cast("Callable[P, R]", functools.wraps(function)(guarded))

    return guard


def _guard(
    function: Callable[P, R],
    binding: _Binding,
    action_type: str,
    client: AnyClient | Callable[[], AnyClient],
    told: Mapping[str, object],
    wait_timeout: float,
) -> Callable[P, R]:
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        gate = client if isinstance(client, Client | AsyncClient) else client()
        if not isinstance(gate, Client):
            raise TypeError(f"{function.__qualname__} is a plain function: guard it with a Client")
        call = binding.bind(args, kwargs)
        proposal = gate._setup.runnable(action_type, call.proposed, _options(told, call.proposed))
        done = gate._perform(
            proposal,
            action_type,
            call.check,
            lambda decided: call.invoke(function, decided),
            wait_timeout,
        )
        return done.result

    return guarded


def _guard_async(
    function: Callable[P, Coroutine[Any, Any, R]],
    binding: _Binding,
    action_type: str,
    client: AnyClient | Callable[[], AnyClient],
    told: Mapping[str, object],
    wait_timeout: float,
) -> Callable[P, Coroutine[Any, Any, R]]:
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        gate = client if isinstance(client, Client | AsyncClient) else client()
        if not isinstance(gate, AsyncClient):
            raise TypeError(f"{function.__qualname__} is async: guard it with an AsyncClient")
        call = binding.bind(args, kwargs)
        proposal = gate._setup.runnable(action_type, call.proposed, _options(told, call.proposed))
        done = await gate._perform(
            proposal,
            action_type,
            call.check,
            lambda decided: call.invoke(function, decided),
            wait_timeout,
        )
        return done.result

    return guarded


@dataclass(frozen=True)
class _Binding:
    """How a function's parameters and the members of a JSON object correspond."""

    signature: inspect.Signature
    outside: frozenset[str]
    rest: str | None

    @classmethod
    def of(cls, function: Callable[..., object], not_reviewed: Collection[str]) -> _Binding:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a generator does nothing when called, so its run cannot be guarded")
        signature = inspect.signature(function)
        kinds = {parameter.kind: name for name, parameter in signature.parameters.items()}
        if inspect.Parameter.VAR_POSITIONAL in kinds:
            raise TypeError("*args has no names to show a reviewer; name the parameters")
        unknown = set(not_reviewed) - set(signature.parameters)
        if unknown:
            raise TypeError(f"not_reviewed names no parameter: {', '.join(sorted(unknown))}")
        outside = frozenset(not_reviewed) | set(list(signature.parameters)[:1]).intersection(_FROM_OUTSIDE)
        return cls(signature, outside, kinds.get(inspect.Parameter.VAR_KEYWORD))

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> _Call:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        kept = {name: value for name, value in bound.arguments.items() if name in self.outside}
        members = {
            name: value
            for name, value in bound.arguments.items()
            if name not in self.outside and name != self.rest
        }
        if self.rest is not None and self.rest not in self.outside:
            members.update(bound.arguments[self.rest])
        return _Call(self, snapshot_object(members), kept)


@dataclass(frozen=True)
class _Call:
    """One call of a guarded function."""

    binding: _Binding
    proposed: JSONObject
    kept: Mapping[str, object]

    def check(self, decided: JSONObject) -> None:
        """Raise ``TypeError`` unless the function takes exactly these arguments, none of them by default.

        A reviewer may have removed a member; Python would fill in the default, which nobody decided.
        """
        self._bound(decided)

    def invoke(self, function: Callable[..., R], decided: JSONObject) -> R:
        """Call the function with the decided arguments."""
        bound = self._bound(decided)
        return function(*bound.args, **bound.kwargs)

    def _bound(self, decided: JSONObject) -> inspect.BoundArguments:
        if clash := self.binding.outside & decided.keys():
            raise TypeError(f"{', '.join(sorted(clash))} is not the reviewer's to decide")
        bound = inspect.BoundArguments(self.binding.signature, {})
        left: dict[str, object] = dict(decided)
        for name in self.binding.signature.parameters:
            if name in self.kept:
                bound.arguments[name] = self.kept[name]
            elif name == self.binding.rest:
                continue
            elif name in left:
                bound.arguments[name] = left.pop(name)
            else:
                raise TypeError(f"{name} is missing")
        if left and self.binding.rest is None:
            raise TypeError(f"there is no parameter for {', '.join(sorted(left))}")
        if self.binding.rest is not None and self.binding.rest not in self.kept:
            bound.arguments[self.binding.rest] = left
        return bound


def _options(told: Mapping[str, object], proposed: JSONObject) -> RunOptions:
    # Each callable gets a copy of its own, so that none can change what is proposed.
    options = {
        name: value(snapshot_object(proposed)) if callable(value) else value for name, value in told.items()
    }
    return cast("RunOptions", options)
