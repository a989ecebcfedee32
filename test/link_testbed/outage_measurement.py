"""Measures how soon the link recovers after an outage, and which Ω the recorder has. Needs root (namespaces).

Each scenario runs the real nodes at the two ends of a veth pair, over mTLS.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from link_testbed.probe import Event
from link_testbed.testbed import LIVE_S, Testbed, tally

BEFORE_S = 2.0
# Against a measurement that hangs.
HANG_LIMIT_S = 300.0


@dataclass(frozen=True)
class Scenario:
    """How the line is disturbed.

    kbit_per_s: 0 is no limit. relay: arguments of `link_testbed.relay`; then every connection is cut once too.
    """

    kbit_per_s: int = 0
    relay: tuple[str, ...] = ()


SCENARIOS = {
    "down": Scenario(),
    "slow": Scenario(kbit_per_s=256),
    "bad": Scenario(relay=("--delay", "0.2", "--stall", "3", "--seed", "7")),
}


def measure_outage(scenario: Scenario, folder: Path, *, outage_s: float) -> dict[str, Any]:
    """Break the line for `outage_s` seconds, and return figures. Times in s from the moment it was whole again.

    Ω come at 10 a second all the time. With a relay every connection is cut once more, 2 s after that.
    """
    with Testbed(folder, relay=scenario.relay) as testbed:
        testbed.feed.say("go")
        testbed.wait_until_kept("cloud", 1, HANG_LIMIT_S)
        testbed.watch.expect(lambda e: e.what == "report", "a report", timeout_s=HANG_LIMIT_S)
        if scenario.kbit_per_s:
            testbed.cable.limit(scenario.kbit_per_s)
        testbed.wait_for_sent(BEFORE_S)
        before = testbed.cable.edge.bytes_sent()
        broken_ns = testbed.sent()[-1].stamp_ns
        testbed.down()
        testbed.wait_for_sent(outage_s)
        # What a dying connection still held came before this.
        mark = testbed.watch.mark()
        testbed.up()
        if scenario.relay:
            testbed.wait_for_sent(2.0)
            testbed.cut()
        last = max(event.stamp_ns for event in testbed.sent() if event.stamp_ns < testbed.up_at_s * 1e9)

        def first(matches: Any, what: str) -> Event:
            return testbed.watch.expect(matches, what, since=mark, timeout_s=HANG_LIMIT_S)

        news = first(lambda e: e.what == "live" and e.stamp_ns > last, "an Ω from after the outage")
        live = first(lambda e: e.what == "live" and e.age_s < LIVE_S and e.stamp_ns > last, "a live Ω")
        through = first(lambda e: e.what == "record" and e.stamp_ns >= last, "the backlog")
        kept = first(lambda e: e.what == "kept" and e.stamp_ns >= last, "the backlog in a bag")
        testbed.wait_for_sent(1.0)
        testbed.finish(HANG_LIMIT_S)
        sent = [event.stamp_ns for event in testbed.sent()]
        omegas, kept_reports = tally(sent, testbed.recorded("cloud")), testbed.reports("cloud")
        # What came before the inference and the recorder had found each other nobody promised to report.
        began = min([broken_ns, *kept_reports[:1]])
        reports = tally([stamp for stamp in sent if stamp >= began], kept_reports)
        return {
            "outage_s": outage_s,
            "kbit_per_s": scenario.kbit_per_s or None,
            "first_new_s": round(news.at_s - testbed.up_at_s, 2),
            "back_to_live_s": round(live.at_s - testbed.up_at_s, 2),
            "backlog_kept_s": round(kept.at_s - testbed.up_at_s, 2),
            "backlog_through_s": round(through.at_s - testbed.up_at_s, 2),
            "live_before_backlog": news.at_s < through.at_s,
            "sent": omegas.sent,
            "recorded": omegas.recorded,
            "lost": len(omegas.lost),
            "duplicated": omegas.duplicated,
            "out_of_order": omegas.out_of_order,
            "reports_lost": len(reports.lost),
            "reports_duplicated": reports.duplicated,
            "bytes_from_outage_on": testbed.cable.edge.bytes_sent() - before,
        }


def measure_outages(outage_s: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the figures of every scenario."""
    found = {}
    for name, scenario in SCENARIOS.items():
        with tempfile.TemporaryDirectory(prefix="privcam_outage_") as folder:
            found[name] = one = measure_outage(scenario, Path(folder), outage_s=outage_s)
        say(
            f"  {name}: first new Ω after {one['first_new_s']} s, live after {one['back_to_live_s']} s, backlog kept "
            f"after {one['backlog_kept_s']} s; {one['recorded']} of {one['sent']} recorded, {one['duplicated']} twice"
        )
    return found
