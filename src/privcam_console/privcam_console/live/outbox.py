"""What waits to be sent to one client. A client that is too slow gets the newest, and not everything."""

import asyncio
from collections.abc import Callable, Sequence

from privcam_console.live.messages import Kind

# Messages that may wait: some seconds of them.
MAX_WAITING = 64
# STATE messages, one a second, that a client may leave unanswered. The network holds bytes for minutes at these rates,
# so the number of messages that wait here would say nothing of how far behind a client is.
MAX_UNANSWERED = 4


class Outbox:
    """The messages for one client. snapshot: returns all that a new client needs, the newest of each kind."""

    def __init__(self, snapshot: Callable[[], Sequence[bytes]]) -> None:
        self._snapshot = snapshot
        self._waiting = list(snapshot())
        self._unanswered = 0
        self._held = False
        self._filled = asyncio.Event()
        self._filled.set()
        self.restarts = 0

    @property
    def is_filled(self) -> bool:
        """Whether something waits."""
        return self._filled.is_set()

    def put(self, message: bytes) -> None:
        """Add a message. Where too many wait, a snapshot replaces all: each POSE is against the one before."""
        if self._held:
            return
        if self._unanswered >= MAX_UNANSWERED:
            self._held = True
            self._waiting.clear()
            self._filled.clear()
        elif len(self._waiting) >= MAX_WAITING:
            self._restart()
        else:
            self._waiting.append(message)
            self._filled.set()

    def answer(self) -> None:
        """Note that the client has read everything up to the last STATE. One that was held gets a snapshot."""
        self._unanswered = 0
        if self._held:
            self._held = False
            self._restart()

    async def take(self) -> list[bytes]:
        """Return the messages that wait, as soon as there are any, and take them out."""
        await self._filled.wait()
        taken, self._waiting = self._waiting, []
        self._filled.clear()
        self._unanswered += sum(message[0] == Kind.STATE for message in taken)
        return taken

    def _restart(self) -> None:
        self.restarts += 1
        self._waiting = list(self._snapshot())
        self._filled.set()
