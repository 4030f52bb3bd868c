"""What both clients are made of."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from handrail.answers import Outcome
from handrail.endpoints import Endpoints, checked_base_url
from handrail.exchange import Clock, Retries
from handrail.flows import Flows
from handrail.permits import FetchedKeys, PinnedKeys, SignatureCheck
from handrail.proposals import Detail, Proposal, RunOptions, SubmitOptions, outcome_detail, propose
from handrail.transport import Transport

VERSION = "0.1.0"


@dataclass(frozen=True)
class Setup:
    """Flows, the transport that carries them, and the check of signatures if one was asked for."""

    flows: Flows
    transport: Transport = field(repr=False)
    signature_check: SignatureCheck | None

    def runnable(self, action_type: str, arguments: Mapping[str, object], options: RunOptions) -> Proposal:
        """Freeze a proposal that is to run."""
        proposal = propose(action_type, arguments, environment=self.flows.environment, **options)
        if proposal.dry_run or proposal.mode != "gated":
            raise ValueError("a dry run or an observed action cannot be run; use submit or report_observed")
        return proposal

    def observed(self, options: RunOptions, outcome: Outcome | str, detail: Detail | None) -> SubmitOptions:
        """Return the options of an action that has happened already."""
        told: dict[str, object] = {"outcome": Outcome(outcome).value}
        if detail is not None:
            told["detail"] = outcome_detail(detail)
        return cast("SubmitOptions", {**options, "mode": "observed", "outcome": told})


def set_up(
    base_url: str,
    key: str,
    *,
    timeout: float,
    retries: Retries | None,
    environment: str,
    agent: str | None,
    jwks: Mapping[str, object] | Literal["fetch"] | None,
    ssl_context: ssl.SSLContext | None,
) -> Setup:
    """Check the configuration and put a client's parts together."""
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("the agent's key is printable ASCII without spaces")
    if timeout <= 0:
        raise ValueError("timeout is more than 0 seconds")
    flows = Flows(
        endpoints=Endpoints(checked_base_url(base_url), timeout),
        environment=environment,
        retries=retries or Retries(),
        clock=Clock(),
        agent_name=agent,
    )
    transport = Transport(key=key, user_agent=f"handrail-python/{VERSION}", ssl_context=ssl_context)
    return Setup(flows, transport, _signature_check(jwks))


def _signature_check(jwks: Mapping[str, object] | str | None) -> SignatureCheck | None:
    if jwks is None:
        return None
    if isinstance(jwks, Mapping):
        return PinnedKeys(jwks)
    if jwks != "fetch":
        raise ValueError('jwks is a JWKS document, or "fetch"')
    return FetchedKeys()
