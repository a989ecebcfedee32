"""The backend that asks a server, against a real one on the loopback."""

import base64
import time

import cv2
import numpy as np
import openai
import pytest
from chat_server import ChatServer, Handler, Reply, drips, fails, hangs, in_turn, says
from vlm_examples import omega, query, reply, text

from privcam_vlm.backends.endpoint import MAX_BODY_BYTES, NO_KEY, RETRIES, EndpointBackend
from privcam_vlm.protocol.reply_schema import reply_schema
from privcam_vlm.vlm_errors import NoReply, Reason
from privcam_vlm.vlm_settings import KEY_VARIABLE, Settings


def ask(server: ChatServer, budget_s: float = 10.0) -> str:
    backend = EndpointBackend(Settings("openai", "tiny", server.url))
    return backend.reply(query(omega()), time.monotonic() + budget_s)


def refused(reply: Reply, budget_s: float = 10.0) -> tuple[NoReply, ChatServer, float]:
    with ChatServer(reply) as server:
        began = time.monotonic()
        with pytest.raises(NoReply) as raised:
            ask(server, budget_s)
        return raised.value, server, time.monotonic() - began


def test_answer_of_the_server_comes_back_as_it_is() -> None:
    with ChatServer(says(text())) as server:
        assert ask(server) == text()


def test_request_has_the_picture_the_text_and_the_schema() -> None:
    asked = query(omega())
    with ChatServer(says(text())) as server:
        ask(server)
    ((path, _, body),) = server.requests
    assert path == "/v1/chat/completions"
    assert body["model"] == "tiny"
    picture, words = body["messages"][0]["content"]
    kind, data = picture["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    seen = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    assert np.abs(seen.astype(int) - asked.picture).mean() < 3
    assert words == {"type": "text", "text": asked.text}
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == reply_schema((3,))


def test_only_the_key_that_is_meant_for_it_goes_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-another-server")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: of-another-server")
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with ChatServer(says(text())) as server:
        ask(server)
        monkeypatch.setenv(KEY_VARIABLE, "the-right-one")
        ask(server)
    first, second = (headers for _, headers, _ in server.requests)
    assert first["Authorization"] == f"Bearer {NO_KEY}"
    assert second["Authorization"] == "Bearer the-right-one"
    assert "of-another-server" not in f"{first}{second}"


def test_loopback_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ChatServer(says(text())) as server:
        assert ask(server) == text()


def test_server_that_hangs_is_given_up_at_the_end_of_the_budget() -> None:
    error, server, took_s = refused(hangs, budget_s=0.5)
    assert error.reason is Reason.TIMEOUT
    assert 0.4 < took_s < 3.0
    assert len(server.requests) == 1  # there is no time for another attempt


def test_server_that_sends_drop_by_drop_is_given_up_at_the_end_of_the_budget() -> None:
    error, _, took_s = refused(drips, budget_s=0.5)
    assert error.reason is Reason.TIMEOUT
    assert took_s < 3.0


def test_server_that_fails_for_a_moment_is_asked_again() -> None:
    with ChatServer(in_turn(fails(500), fails(503), says(text()))) as server:
        assert ask(server) == text()
    assert len(server.requests) == 3


def test_server_that_keeps_failing_is_asked_a_few_times_and_its_words_are_cleaned() -> None:
    error, server, _ = refused(fails(500))
    assert error.reason is Reason.HTTP
    assert "status 500" in error.text
    assert "no\\u001b[2J luck" in error.text
    assert len(server.requests) == RETRIES + 1


def test_attempts_end_with_the_budget() -> None:
    error, server, _ = refused(fails(500), budget_s=0.6)  # less than the pauses together
    assert error.reason is Reason.HTTP
    assert len(server.requests) <= 2


def test_refusal_of_the_server_is_not_asked_again() -> None:
    error, server, _ = refused(fails(401))
    assert error.reason is Reason.HTTP
    assert len(server.requests) == 1


def test_redirect_is_not_followed() -> None:
    with ChatServer(says(text())) as elsewhere:
        error, _, _ = refused(fails(307, Location=f"{elsewhere.url}/chat/completions"))
    assert error.reason is Reason.HTTP
    assert elsewhere.requests == []


def test_nobody_who_listens_is_a_refused_connection() -> None:
    with ChatServer(hangs) as server:
        pass
    with pytest.raises(NoReply, match=r"connection: http://127\.0\.0\.1") as raised:
        ask(server, budget_s=2.0)
    assert isinstance(raised.value.__cause__, openai.APIConnectionError)


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def test_answer_without_an_end_is_cut_off() -> None:
    error, _, took_s = refused(endless, budget_s=60.0)
    assert error.reason is Reason.PROTOCOL
    assert str(MAX_BODY_BYTES) in error.text
    assert took_s < 30.0


@pytest.mark.parametrize(
    "body", [b"", b"<html>hello</html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {}}]}', b"\xff"]
)
def test_body_that_is_no_chat_completion_is_refused(body: bytes) -> None:
    error, _, _ = refused(lambda handler: handler.send(200, body))
    assert error.reason is Reason.PROTOCOL


@pytest.mark.parametrize("content", [None, reply(), 7])
def test_completion_without_a_text_is_refused(content: object) -> None:
    error, _, _ = refused(says(content))
    assert error.reason is Reason.PROTOCOL
