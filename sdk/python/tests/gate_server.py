"""A small gate over real HTTP that behaves by api.md, and misbehaves exactly where a test tells it to."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handrail import action_digest

AGENT_ID, AGENT_NAME = "agt_0198c6e2f7b17c3e9d2a4b5c6d7e8f90", "clerk"
KEY = "hr_live_abcd1234_" + "x" * 43 + "_123456"
LATER = "2999-01-01T00:00:00Z"

Document = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer, and how it goes wrong on its way."""

    status: int = 200
    document: Any = None
    body: bytes | None = None
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False  # the connection is reset in place of an answer: the act is done, the answer lost
    drip: float = 0.0  # seconds between single bytes

    def encoded(self) -> bytes:
        return self.body if self.body is not None else json.dumps(self.document).encode()

    def changed(self, **members: Any) -> Reply:
        """The same answer with other members; None takes one out."""
        merged = {**self.document, **members}
        return replace(self, document={name: value for name, value in merged.items() if value is not ...})


Fault = Callable[[Reply], Reply]


def problem(status: int, kind: str, **headers: str) -> Reply:
    document = {
        "type": f"https://gate.test/problems/{kind}",
        "title": kind,
        "status": status,
        "detail": f"{kind}.",
    }
    return Reply(status, document, media_type="application/problem+json", headers=headers)


class Gate:
    """State of the small gate; ``faults`` maps a route to what happens to its next answers, in order."""

    def __init__(self) -> None:
        self.signing_key = Ed25519PrivateKey.generate()
        self.verdict = "allow"
        self.decision: Document | None = None  # what a person has decided: kind, final_arguments, note
        self.undecided_polls = 0  # so many long-polls are answered as pending first
        self.claims: Callable[[Document], Document] = lambda claims: claims
        self.header: Document = {"alg": "Ed25519", "typ": "handrail-permit+jwt", "kid": "k1"}
        self.faults: dict[str, list[Fault]] = {}
        self.seen: list[tuple[str, str, Document]] = []
        self.headers: list[dict[str, str]] = []
        self.actions: dict[str, Document] = {}
        self.keys: dict[str, str] = {}
        self.consumed: dict[str, str] = {}
        self.outcomes: list[Document] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Gate:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def jwks(self) -> Document:
        point = self.signing_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = {"kty": "OKP", "crv": "Ed25519", "kid": self.header.get("kid", "k1"), "x": _b64(point)}
        return {"keys": [key]}

    def break_once(self, route: str, fault: Fault, times: int = 1) -> None:
        self.faults.setdefault(route, []).extend([fault] * times)

    def break_always(self, route: str, fault: Fault) -> None:
        self.break_once(route, fault, times=1000)

    def count(self, route: str) -> int:
        return sum(1 for name, _, _ in self.seen if name == route)

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: Document) -> Reply:
        parts = path.strip("/").split("/")[2:]
        route = _route(method, parts)
        with self.lock:
            self.seen.append((route, query, body))
            self.headers.append(headers)
            reply: Reply = getattr(self, f"_{route}")(parts, headers, body)
            queued = self.faults.get(route)
            return queued.pop(0)(reply) if queued else reply

    def _jwks(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        return Reply(document=self.jwks, media_type="application/jwk-set+json")

    def _agent(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        return Reply(document={"id": AGENT_ID, "name": AGENT_NAME, "environments": [], "scopes": []})

    def _submit(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        key = headers["idempotency-key"]
        known = self.keys.get(key)
        if known is not None:
            return Reply(200, self._view(self.actions[known]), headers={"Idempotent-Replayed": "true"})
        action = {"id": f"act_{uuid.uuid4().hex}", "body": body, "verdict": self.verdict, "polls": 0}
        action["permit"] = f"prm_{uuid.uuid4().hex}"
        action["state"] = {"allow": "allowed", "deny": "denied"}.get(self.verdict, "pending_review")
        self.actions[str(action["id"])] = action
        self.keys[key] = str(action["id"])
        return Reply(201, self._view(action))

    def _get(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        action = self.actions.get(parts[1])
        if action is None:
            return problem(404, "not-found")
        if action["state"] == "pending_review" and self.decision is not None:
            action["polls"] += 1
            if action["polls"] > self.undecided_polls:
                action["state"] = _STATES[self.decision["kind"]]
        pending = action["state"] == "pending_review"
        return Reply(200, self._view(action, whole=True), headers={"Retry-After": "0"} if pending else {})

    def _decision(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        return Reply(
            200, {"id": "dec_1", "reasons": [{"code": "wrong_amount"}], "patch": [], **(self.decision or {})}
        )

    def _cancel(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        action = self.actions[parts[1]]
        action["state"] = "cancelled"
        return Reply(200, self._view(action))

    def _list(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        items = [self._view(action, whole=True) for action in self.actions.values()]
        return Reply(200, {"items": items, "next_cursor": None})

    def _batch(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        lines = []
        for row in body["rows"]:
            headers = {"idempotency-key": row.pop("idempotency_key")}
            if row["action_type"] == "bad":
                lines.append(problem(422, "validation").document)
            elif row.get("mode") == "observed":
                lines.append({"status": "accepted", "id": "req_1"})
            else:
                lines.append(self._submit([], headers, row).document)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return Reply(200, body=text.encode(), media_type="application/x-ndjson")

    def _consume(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        action = next(action for action in self.actions.values() if action["permit"] == parts[1])
        if body["digest"] != self._final_digest(action):
            return problem(409, "digest-mismatch")
        if self.consumed.setdefault(parts[1], body["execution_key"]) != body["execution_key"]:
            return problem(409, "already-consumed")
        assert headers["idempotency-key"] == body["execution_key"]
        return Reply(
            200, {"execution_id": "exe_1", "lease_until": LATER, "arguments": self._final_arguments(action)}
        )

    def _ground_truth(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        known = self.keys.setdefault(headers["idempotency-key"], f"gtr_{uuid.uuid4().hex}")
        self.outcomes.append(body)
        return Reply(201, {"id": known, "action_id": parts[1], **body, "contradicts": not body["correct"]})

    def _outcome(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        self.outcomes.append(body)
        return Reply(200, {"outcome": body["outcome"]})

    def _heartbeat(self, parts: list[str], headers: dict[str, str], body: Document) -> Reply:
        return Reply(200, {"lease_until": LATER})

    def _view(self, action: Document, *, whole: bool = False) -> Document:
        body = action["body"]
        runnable = action["state"] in ("allowed", "approved", "corrected")
        document: Document = {
            "id": action["id"],
            "verdict": action["verdict"],
            "state": action["state"],
            "digest": _digest(body, body["arguments"]),
            "policy": {"id": "pol_1", "version": 3},
            "reasons": [
                {
                    "code": "high_risk",
                    "trigger": "high_risk",
                    "title": "High risk",
                    "detail": "",
                    "rule": None,
                }
            ],
            "risk": "high",
            "autonomy_level": "review_all",
            "expires_at": LATER,
            "approvals": {"required": 1, "given": int(runnable)},
            "permit": self._permit(action) if runnable else None,
            "links": {
                "self": f"/api/v1/actions/{action['id']}",
                "wait": f"/api/v1/actions/{action['id']}",
                "review": f"/review/{action['id']}/",
            },
            "something_newer": True,
        }
        if whole:
            document["action_type"] = body["action_type"]
            document["arguments"] = body["arguments"]
            document["subject"] = body.get("subject")
            if action["state"] in ("approved", "corrected"):
                document["final_arguments"] = self._final_arguments(action)
                document["final_digest"] = self._final_digest(action)
                document["decision"] = {"id": "dec_1", "kind": (self.decision or {})["kind"]}
        return document

    def _permit(self, action: Document) -> Document:
        now = int(time.time())
        act = {
            "id": action["id"],
            "type": action["body"]["action_type"],
            "env": action["body"]["environment"],
            "digest": self._final_digest(action),
        }
        claims: Document = {
            "iss": self.url,
            "aud": "executor",
            "sub": AGENT_ID,
            "jti": action["permit"],
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "act": act,
            "dec": {"id": None, "kind": "allow", "policy_version": 3, "approvals": 0},
        }
        return {"id": action["permit"], "token": self.sign(self.claims(claims)), "expires_at": LATER}

    def sign(self, claims: Document) -> str:
        text = ".".join(_b64(json.dumps(part).encode()) for part in (self.header, claims))
        signature = b"" if self.header["alg"] == "none" else self.signing_key.sign(text.encode())
        return f"{text}.{_b64(signature)}"

    def _final_arguments(self, action: Document) -> Document:
        corrected = (self.decision or {}).get("final_arguments") if action["state"] == "corrected" else None
        arguments: Document = corrected if corrected is not None else action["body"]["arguments"]
        return arguments

    def _final_digest(self, action: Document) -> str:
        return _digest(action["body"], self._final_arguments(action))

    def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._respond({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Type"] == "application/x-ndjson":
                    self._respond({"rows": [json.loads(line) for line in body.splitlines()]})
                else:
                    self._respond(json.loads(body))

            def _respond(self, body: Document) -> None:
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = gate.answer(self.command, path, query, headers, body)
                self.close_connection = True
                time.sleep(reply.delay)
                if reply.cut:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    return
                encoded = reply.encoded()
                self.send_response(reply.status)
                for name, value in {"Content-Type": reply.media_type, **reply.headers}.items():
                    self.send_header(name, value)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self._write(encoded, reply.drip)

            def _write(self, encoded: bytes, drip: float) -> None:
                try:
                    if not drip:
                        self.wfile.write(encoded)
                        return
                    for byte in encoded:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(drip)
                except OSError:
                    pass  # the client has had enough

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


_STATES = {
    "approve": "approved",
    "correct": "corrected",
    "reject": "rejected",
    "expired": "expired",
    "cancelled": "cancelled",
}


def _route(method: str, parts: list[str]) -> str:
    if not parts:
        return "jwks"
    if parts[0] == "agent":
        return "agent"
    if parts[-1] in ("consume", "outcome", "heartbeat", "cancel", "decision", "batch", "ground-truth"):
        return parts[-1].replace("-", "_")
    if method == "POST":
        return "submit"
    return "list" if len(parts) == 1 else "get"


def _digest(body: Document, arguments: Document) -> str:
    return action_digest(
        agent=AGENT_NAME,
        subject=body.get("subject"),
        action_type=body["action_type"],
        environment=body["environment"],
        arguments=arguments,
    )


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
