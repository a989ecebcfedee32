"""Runs the HTTP server on a thread of its own, beside the executor of ROS."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from privcam_console.live.hub import STATE_PERIOD_S, Hub
from privcam_console.server.app import create_app

# A client that does not take its leave is cut off after this time, in s.
GRACE_S = 1
# Connections of all clients together; a wall of 64 rooms has 64.
MAX_CONNECTIONS = 512
# A client sends empty messages.
MAX_MESSAGE_BYTES = 1024


class WebServer:
    """The server. Everything that touches the hub runs on its thread: see `call`."""

    def __init__(self, hub: Hub, listening: socket.socket, on_failure: Callable[[str], None]) -> None:
        """Prepare it. listening: taken over. on_failure: called from its thread where it ends by itself."""
        self._hub = hub
        self._listening = listening
        self._on_failure = on_failure
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(hub),
                log_config=None,
                access_log=False,
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="web server")

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Call a function on the thread of the server, in the order of these calls. Any thread may do so."""
        with suppress(RuntimeError):  # the loop is closed: the server has ended
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self) -> None:
        """End the connections and the thread."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._loop.close()
        self._listening.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            self._on_failure(f"{type(error).__name__}: {error}")
        else:
            if not self._server.should_exit:
                self._on_failure("it ended by itself")
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        telling = asyncio.create_task(self._tell_states())
        try:
            await self._server.serve(sockets=[self._listening])
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    async def _tell_states(self) -> None:
        while True:
            await asyncio.sleep(STATE_PERIOD_S)
            self._hub.tell_states()
