"""Asks a model at a server with the protocol of OpenAI's chat completions, for example vLLM."""

import base64
import json
import os
import time
from typing import Any

import cv2
import openai

from privcam_core.types.arrays import Image
from privcam_vlm.protocol.prompt import Prompt
from privcam_vlm.protocol.reply_schema import reply_schema
from privcam_vlm.protocol.text import said
from privcam_vlm.vlm_errors import NoReply, Reason
from privcam_vlm.vlm_settings import KEY_VARIABLE, Settings, is_plain

# A whole reply with its envelope is some KiB.
MAX_BODY_BYTES = 1 << 20
MAX_TOKENS = 1024
JPEG_QUALITY = 90
# Further attempts for a server that is starting or busy.
RETRIES = 2
# Pause before the first of them, in s; it doubles for each further one.
FIRST_PAUSE_S = 0.25
# Servers want something in the header also where they check nothing.
NO_KEY = "none"


class EndpointBackend:
    """Asks a server. Nothing that the environment of the process holds for others goes there, and no redirect is taken.

    The key is in the environment variable PRIVCAM_VLM_KEY, for servers that want one.
    """

    def __init__(self, settings: Settings) -> None:
        self._model = settings.vlm_model
        # The client would send what these variables hold for another server. This process is the backend's alone.
        for name in [name for name in os.environ if name.startswith("OPENAI_")]:
            del os.environ[name]
        # A proxy would carry the plain text of the loopback over the network; through one, https stays closed.
        http = openai.DefaultHttpx2Client(follow_redirects=False, trust_env=not is_plain(settings.vlm_url))
        key = os.environ.get(KEY_VARIABLE) or NO_KEY
        self._client = openai.OpenAI(api_key=key, base_url=settings.vlm_url, max_retries=0, http_client=http)

    def reply(self, prompt: Prompt, deadline: float) -> str:
        """Return the server's text. See `Backend.reply`."""
        request = self._request(prompt)
        for attempt in range(RETRIES + 1):
            try:
                return _content(self._body(request, deadline))
            except NoReply as error:
                if attempt == RETRIES or not _is_transient(error):
                    raise
                pause = FIRST_PAUSE_S * 2**attempt
                if time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        schema = {"name": "scene", "strict": True, "schema": reply_schema(prompt.subject_ids)}
        content = [
            {"type": "image_url", "image_url": {"url": _data_url(prompt.picture)}},
            {"type": "text", "text": prompt.text},
        ]
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": content}],
            "response_format": {"type": "json_schema", "json_schema": schema},
            "max_completion_tokens": MAX_TOKENS,
            "temperature": 0.0,
        }

    def _body(self, request: dict[str, Any], deadline: float) -> bytes:
        """Return the body of the reply. A server that sends drop by drop, or without an end, is cut off."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoReply(Reason.TIMEOUT, "no time was left for another attempt")
        body = bytearray()
        try:
            with self._client.chat.completions.with_streaming_response.create(**request, timeout=left) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise NoReply(Reason.PROTOCOL, f"the server sent more than {MAX_BODY_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise NoReply(Reason.TIMEOUT, "the server was still sending at the end of the budget")
        except openai.APITimeoutError as error:
            raise NoReply(Reason.TIMEOUT, "the server did not reply within the budget") from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise NoReply(Reason.CONNECTION, f"{self._client.base_url}: {said(str(cause))}") from error
        except openai.APIStatusError as error:
            text = f"{self._client.base_url}: status {error.status_code}: {said(error.response.text)}"
            raise NoReply(Reason.HTTP, text) from error
        return bytes(body)


def _is_transient(error: NoReply) -> bool:
    """Return whether the same query may succeed a moment later."""
    if isinstance(error.__cause__, openai.APIStatusError):
        code = error.__cause__.status_code
        return code == 429 or code >= 500
    return error.reason is Reason.CONNECTION


def _content(body: bytes) -> str:
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NoReply(Reason.PROTOCOL, f"no chat completion: {said(body[:1000].decode(errors='replace'))}") from error
    if not isinstance(content, str):
        raise NoReply(Reason.PROTOCOL, f"the completion has no text but {said(repr(content)[:200])}")
    return content


def _data_url(picture: Image) -> str:
    good, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    if not good:
        raise ValueError(f"picture: OpenCV could not encode {picture.shape[1]}x{picture.shape[0]} px as JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
