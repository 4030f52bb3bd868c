"""The end of a conversation, told to the real product by both clients."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from handrail import AsyncClient, Client, ClosedConversation, RequestRefused

pytestmark = pytest.mark.stack

SAID: list[dict[str, Any]] = [
    {"role": "user", "content": "Please refund one cup.", "n": [1.0, None, "🙂"]},
    {"role": "assistant", "content": "Of course."},
]


class Product(Protocol):
    """The whole stack, seen from outside."""

    url: str

    def create_agent(self, name: str) -> str:
        """Make an agent and return its key."""

    def declare(self, action_type: str, *, runs_alone: bool) -> None:
        """Declare an action type that is always allowed, or always held."""


def plain(url: str, key: str, *given: Any, **more: Any) -> ClosedConversation:
    return Client(url, key).close_conversation(*given, **more)


def awaited(url: str, key: str, *given: Any, **more: Any) -> ClosedConversation:
    async def close() -> ClosedConversation:
        async with AsyncClient(url, key) as client:
            return await client.close_conversation(*given, **more)

    return asyncio.run(close())


@pytest.fixture
def key(product: Product) -> str:
    return product.create_agent(f"sdk-{uuid.uuid4().hex[:8]}")


@pytest.mark.parametrize("close", [plain, awaited])
@pytest.mark.parametrize("name", ["chat-{}", "tenant/{}/../a?b=1#c", "{}/", "ключ {} 🙂\n%2F"])
def test_a_conversation_is_closed_once_with_what_was_proposed_in_it(
    product: Product, key: str, close: Callable[..., ClosedConversation], name: str
) -> None:
    action_type, talk = f"refund.alone_{uuid.uuid4().hex[:8]}", name.format(uuid.uuid4().hex)
    product.declare(action_type, runs_alone=True)
    Client(product.url, key).submit(action_type, {"order": "A-77"}, conversation_id=talk)

    closed = close(product.url, key, talk, SAID, agent_version="3.2", subject="customer-1")

    assert (closed.conversation_id, closed.messages, closed.actions) == (talk, 2, 1)
    assert closed.id.startswith("cnv_")
    assert close(product.url, key, talk, SAID, agent_version="3.2", subject="customer-1") == closed
    with pytest.raises(RequestRefused) as refused:
        close(product.url, key, talk, SAID[:1], agent_version="3.2", subject="customer-1")
    assert refused.value.code == "conversation-closed"


@pytest.mark.parametrize("talk", [".", ".."])
def test_an_id_of_dots_is_an_id_and_no_way_up(product: Product, key: str, talk: str) -> None:
    closed = plain(product.url, key, talk, SAID)

    assert (closed.conversation_id, closed.actions) == (talk, 0)


def test_only_the_agent_itself_closes_what_it_proposed_in(product: Product, key: str) -> None:
    action_type, talk = f"refund.alone_{uuid.uuid4().hex[:8]}", f"chat-{uuid.uuid4().hex}"
    product.declare(action_type, runs_alone=True)
    Client(product.url, key).submit(action_type, {"order": "A-77"}, conversation_id=talk)

    with pytest.raises(RequestRefused) as refused:
        plain(product.url, product.create_agent(f"sdk-{uuid.uuid4().hex[:8]}"), talk, SAID)

    assert refused.value.code == "not-found"
    assert plain(product.url, key, talk, SAID).actions == 1
