"""Relays one TCP port over a simulated bad line: delay each way, random stalls, cuts. For kernels without netem.

    python -m link_testbed.relay --listen 198.18.77.2:7450 --to 127.0.0.1:7447 --delay 0.2 --stall 3

Prints a line when it listens. A line on stdin cuts all connections, so that both ends see them break. Ends with stdin.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence

# What may be under way in one direction of one connection; more waits at the sender, as on a real line.
ON_THE_WAY = 64
CHUNK = 4096
# Between two stalls, in s, at random up to twice this.
STALL_EVERY_S = 4.0


class Relay:
    """Passes bytes on between whoever connects and one address.

    delay_s: of every byte, each way. stall_s: now and then nothing moves, in either direction, for up to this long.
    """

    def __init__(self, host: str, port: int, *, delay_s: float, stall_s: float, seed: int) -> None:
        self._to = host, port
        self._delay_s = delay_s
        self._stall_s = stall_s
        self._random = random.Random(seed)
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one connection until either end closes it."""
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._to)
        except OSError:
            writer.close()
            return
        both = {writer, far_writer}
        self._writers |= both
        try:
            ways = [self._pass(reader, far_writer), self._pass(far_reader, writer)]
            await asyncio.wait([asyncio.ensure_future(way) for way in ways], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= both
            for one in both:
                one.close()

    async def stall(self) -> None:
        """Stop everything for a while, again and again."""
        while self._stall_s > 0:
            await asyncio.sleep(self._random.uniform(0, 2 * STALL_EVERY_S))
            self._moving.clear()
            await asyncio.sleep(self._random.uniform(0, self._stall_s))
            self._moving.set()

    def cut(self) -> None:
        """Break every connection now; what is under way is lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(ON_THE_WAY)

        async def take() -> None:
            while data := await reader.read(CHUNK):
                await under_way.put((loop.time() + self._delay_s, data))
            await under_way.put((loop.time() + self._delay_s, b""))

        taking = asyncio.ensure_future(take())
        try:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._moving.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # either end is gone
        finally:
            taking.cancel()


async def _run(options: argparse.Namespace) -> None:
    (host, port), (to_host, to_port) = (address.rsplit(":", 1) for address in (options.listen, options.to))
    relay = Relay(to_host, int(to_port), delay_s=options.delay, stall_s=options.stall, seed=options.seed)
    server = await asyncio.start_server(relay.serve, host, int(port))
    stalling = asyncio.ensure_future(relay.stall())
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("listening", flush=True)
    while await commands.readline():
        relay.cut()
    stalling.cancel()
    server.close()
    relay.cut()


def main(argv: Sequence[str]) -> int:
    """Run the relay until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m link_testbed.relay", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--delay", type=float, default=0.0, metavar="S", help="of every byte, each way")
    parser.add_argument("--stall", type=float, default=0.0, metavar="S", help="nothing moves for up to this long")
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(_run(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
