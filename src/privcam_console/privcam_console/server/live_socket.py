"""Sends the live view of one camera over one WebSocket."""

import asyncio
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect

from privcam_console.live.channel import CameraChannel
from privcam_console.live.outbox import Outbox

# Close code for a camera that the console does not know; codes from 4000 on are free for applications.
NO_SUCH_CAMERA = 4404
# Close code of a client that says more than it may (RFC 6455: policy violation).
POLICY_VIOLATION = 1008


async def serve_live(socket: WebSocket, channel: CameraChannel | None) -> None:
    """Serve one client until it leaves. channel: None for a camera that is not there."""
    await socket.accept()
    if channel is None:
        await socket.close(NO_SUCH_CAMERA)
        return
    outbox = channel.subscribe()
    sender = asyncio.create_task(_send(socket, outbox))
    try:
        await _read_answers(socket, outbox)
    finally:
        channel.unsubscribe(outbox)
        sender.cancel()
        with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sender


async def _send(socket: WebSocket, outbox: Outbox) -> None:
    while True:
        for message in await outbox.take():
            await socket.send_bytes(message)


async def _read_answers(socket: WebSocket, outbox: Outbox) -> None:
    """Take the client's answers, one empty message for each STATE. It has nothing else to say."""
    while True:
        event = await socket.receive()
        if event["type"] == "websocket.disconnect":
            return
        if event.get("bytes") != b"":
            await socket.close(POLICY_VIOLATION)
            return
        outbox.answer()
