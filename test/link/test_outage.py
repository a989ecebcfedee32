"""Outages of the link with the real nodes, mTLS and two network namespaces: nothing lost, nothing twice, in order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from link_testbed.network_namespaces import unavailable
from link_testbed.outage_measurement import SCENARIOS, measure_outage
from link_testbed.testbed import BRIDGE, CAMERA_ID, RECORDER, Testbed, tally

# Longer than the lease of Zenoh (10 s): the connection is given up. `link_testbed.outage_measurement` measures 60 s.
OUTAGE_S = 13.0
CLOUDS = ("cloud", "archive")
EDGE_BRIDGE = f"/{CAMERA_ID}/bridge"


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    reason = unavailable()
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_an_outage_live_is_back_before_the_backlog_and_each_omega_is_recorded_once(
    name: str, tmp_path: Path
) -> None:
    figures = measure_outage(SCENARIOS[name], tmp_path, outage_s=OUTAGE_S)
    assert (figures["lost"], figures["duplicated"], figures["out_of_order"]) == (0, 0, 0), figures
    assert figures["recorded"] == figures["sent"] > 10 * OUTAGE_S, figures
    assert (figures["reports_lost"], figures["reports_duplicated"]) == (0, 0), figures
    assert figures["live_before_backlog"], figures


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    """Two clouds with a recorder each, on one cable."""
    with Testbed(tmp_path, clouds=CLOUDS) as testbed:
        testbed.feed.say("go")
        for cloud in CLOUDS:
            testbed.wait_until_kept(cloud, 1)
        yield testbed


def test_two_clouds_have_everything_although_bridge_and_recorder_are_killed(testbed: Testbed) -> None:
    testbed.kill("cloud", BRIDGE)
    testbed.kill("archive", RECORDER)
    testbed.wait_for_sent(1.0)
    testbed.start("cloud", BRIDGE)
    testbed.start("archive", RECORDER)
    testbed.wait_for_sent(1.0)
    testbed.finish()
    sent = [event.stamp_ns for event in testbed.sent()]
    for cloud in CLOUDS:
        result = tally(sent, testbed.recorded(cloud))
        assert result.complete, (cloud, result)


def test_edge_and_cloud_killed_while_the_link_is_down_lose_nothing_that_was_queued(testbed: Testbed) -> None:
    testbed.down()
    testbed.wait_for_sent(2.0)
    testbed.kill("", BRIDGE)
    queued_ns = testbed.newest_queued()
    testbed.kill("cloud", BRIDGE)
    testbed.kill("archive", RECORDER)
    mark = testbed.feed.mark()
    testbed.start_edge()
    for cloud, node in (("cloud", BRIDGE), ("archive", RECORDER)):
        testbed.start(cloud, node)
    again = testbed.feed.expect(
        lambda e: e.what == "status" and e.space == EDGE_BRIDGE and int(e.diagnostics.get("passed", 0)) > 0,
        "the edge bridge to pass Ω again",
        since=mark,
    )
    testbed.up()
    testbed.wait_for_sent(1.0)
    testbed.finish()
    sent = [event.stamp_ns for event in testbed.sent()]
    nobody_listened = {stamp for stamp in sent if queued_ns < stamp < again.at_s * 1e9}
    for cloud in CLOUDS:
        result = tally(sent, testbed.recorded(cloud))
        assert set(result.lost) <= nobody_listened, (cloud, result)
        assert (result.duplicated, result.out_of_order, result.strange) == (0, 0, 0), (cloud, result)
