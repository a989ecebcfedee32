"""What a model is asked, and what is made of its reply."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from vlm_examples import HEIGHT, WIDTH, omega, query, reply, text

from privcam_core.drawing.proxy import overlay
from privcam_core.events.scene_report import Phase, RecognizedObject
from privcam_core.images.environment import FILL
from privcam_vlm.protocol.prompt import MAX_SIDE, make_prompt
from privcam_vlm.protocol.reply import Reply, Statement, parse_reply
from privcam_vlm.protocol.reply_schema import LABELS, MAX_CAPTION, reply_schema
from privcam_vlm.reports import Reports
from privcam_vlm.scene_history import EnvironmentPicture, SceneHistory
from privcam_vlm.vlm_errors import NoReply, Reason, Unusable
from privcam_vlm.vlm_settings import Settings, require_private


def refused(content: str, ids: tuple[int, ...] = (3,)) -> NoReply:
    with pytest.raises(NoReply) as raised:
        parse_reply(content, omega(ids=ids))
    return raised.value


# The query


def test_picture_is_the_room_with_the_proxies_and_grey_where_nothing_is_confirmed() -> None:
    one = omega(ids=(3, 5))
    asked = query(one)
    plate = EnvironmentPicture().decode(SceneHistory().add(one))
    assert (asked.picture == overlay(plate, one.poses)).all()
    assert (asked.picture[:, : WIDTH // 8] == FILL).all()
    assert (asked.picture != plate).any()


def test_text_names_subjects_joints_labels_and_the_schema_in_coordinates_of_the_grid() -> None:
    asked = query(omega(ids=(3,)))
    assert "subject 3: box 250 167 500 833" in asked.text
    assert f"nose {round(1000 * 60 / WIDTH)} {round(1000 * 28 / HEIGHT)}" in asked.text
    assert "left_wrist" not in asked.text  # it was not seen
    assert all(label in asked.text for label in LABELS)
    assert json.loads(asked.text.splitlines()[-1]) == reply_schema((3,))


def test_text_tells_the_way_of_the_trunk_over_the_last_seconds_of_those_who_are_still_there() -> None:
    scene = SceneHistory()
    for number in range(1, 60):
        scene.add(omega(number, ids=(3, 5)))
    moment = scene.add(omega(60, ids=(3,)))
    asked = make_prompt(moment, EnvironmentPicture().decode(moment))
    (line,) = [line for line in asked.text.splitlines() if " s ago " in line]
    assert line.startswith("subject 3: 2.9 s ago 375 500 tilt 0, ")
    assert 9 <= line.count(" s ago ") <= 11


def test_empty_room_is_asked_about_without_a_subject_to_choose() -> None:
    asked = query(omega(ids=()))
    assert "Nobody is in view now." in asked.text
    assert reply_schema(())["properties"]["behaviors"]["maxItems"] == 0


def test_large_picture_is_made_smaller() -> None:
    moment = SceneHistory().add(omega())
    asked = make_prompt(moment, np.zeros((1000, 2 * MAX_SIDE, 3), np.uint8))
    assert asked.picture.shape == (500, MAX_SIDE, 3)


def test_picture_is_remembered_until_another_room_is_named() -> None:
    scene = SceneHistory()
    assert scene.add(omega(1, with_png=False)).png == b""
    scene.add(omega(2))
    moment = scene.add(omega(3, with_png=False))
    assert (EnvironmentPicture().decode(moment)[:, -1] == (200, 180, 160)).all()


def test_room_whose_picture_has_not_come_is_grey() -> None:
    assert (EnvironmentPicture().decode(SceneHistory().add(omega(1, with_png=False))) == FILL).all()


# The reply


def test_right_reply_is_taken_and_a_subject_keeps_its_own_box() -> None:
    thing = {"label": "overturned chair", "confidence": 0.5, "subject_id": 0, "box": [0, 0, 500, 1000]}
    found = parse_reply(text(objects=[*reply()["objects"], thing]), omega())
    assert found.caption == "One person stands in the room."
    assert found.statements == [Statement("standing", 0.8, (3,))]
    assert found.objects == [
        RecognizedObject("person", 0.9, 3, (40.0, 20.0, 80.0, 100.0)),
        RecognizedObject("overturned chair", 0.5, 0, (0.0, 0.0, WIDTH / 2, HEIGHT)),
    ]


def test_answer_in_a_markdown_fence_is_taken() -> None:
    assert parse_reply(f"```json\n{text()}\n```\n", omega()).statements


@pytest.mark.parametrize(
    "content",
    [
        "",
        "One person stands.",
        f"Here it is: {text()}",
        text()[:-1],
        text() + text(),
        text().replace("0.8", "NaN"),
        text().replace('"caption"', '"caption": "x", "caption"'),
        "[" * 5000,
    ],
)
def test_what_is_not_one_json_value_is_refused(content: str) -> None:
    assert refused(content).reason is Reason.JSON


def behavior(**changes: Any) -> str:
    return text(behaviors=[{**reply()["behaviors"][0], **changes}])


def thing(**changes: Any) -> str:
    return text(objects=[{**reply()["objects"][0], **changes}])


@pytest.mark.parametrize(
    ("content", "reason", "field"),
    [
        ("[]", Reason.SCHEMA, "reply"),
        (text(mood="calm"), Reason.SCHEMA, "reply: has missing or unknown fields: 'mood'"),
        ('{"caption": "x", "behaviors": []}', Reason.SCHEMA, "'objects'"),
        (text(caption=7), Reason.SCHEMA, "caption"),
        (text(caption=" \u200b\n "), Reason.SCHEMA, "caption: is empty"),
        (text(caption="x" * (MAX_CAPTION + 1)), Reason.LENGTH, "caption"),
        (text(behaviors={}), Reason.SCHEMA, "behaviors"),
        (text(behaviors=reply()["behaviors"] * 2), Reason.SCHEMA, "behaviors: says the same"),
        (text(behaviors=reply()["behaviors"] * 17), Reason.LENGTH, "behaviors"),
        (behavior(label="dancing"), Reason.LABEL, "behaviors[0].label: 'dancing'"),
        (behavior(label="Standing"), Reason.LABEL, "behaviors[0].label"),
        (behavior(label=["standing"]), Reason.LABEL, "behaviors[0].label"),
        (behavior(confidence=1.01), Reason.SCHEMA, "behaviors[0].confidence"),
        (behavior(confidence=-0.1), Reason.SCHEMA, "behaviors[0].confidence"),
        (behavior(confidence="0.5"), Reason.SCHEMA, "behaviors[0].confidence"),
        (behavior(confidence=True), Reason.SCHEMA, "behaviors[0].confidence"),
        (behavior(confidence=1).replace(": 1,", ": 1e999,"), Reason.SCHEMA, "behaviors[0].confidence"),
        (behavior(subject_ids=[4]), Reason.SUBJECT, "behaviors[0].subject_ids: 4 is nobody"),
        (behavior(subject_ids=[0]), Reason.SUBJECT, "behaviors[0].subject_ids"),
        (behavior(subject_ids=[]), Reason.SUBJECT, "behaviors[0].subject_ids"),
        (behavior(subject_ids=[3.0]), Reason.SCHEMA, "behaviors[0].subject_ids"),
        (behavior(subject_ids=["3"]), Reason.SCHEMA, "behaviors[0].subject_ids"),
        (behavior(subject_ids=3), Reason.SCHEMA, "behaviors[0].subject_ids"),
        (behavior(phase=1), Reason.SCHEMA, "behaviors[0]"),
        (thing(label="x" * 41), Reason.LENGTH, "objects[0].label"),
        (thing(subject_id=9), Reason.SUBJECT, "objects[0].subject_id"),
        (thing(subject_id=False), Reason.SCHEMA, "objects[0].subject_id"),
        (thing(box=[0, 0, 10]), Reason.SCHEMA, "objects[0].box"),
        (thing(box=[0, 0, 10, 1001]), Reason.SCHEMA, "objects[0].box"),
        (thing(box=[10, 0, 10, 10]), Reason.SCHEMA, "objects[0].box: is empty"),
        (thing(box=[0, 0, 1.5, 2]), Reason.SCHEMA, "objects[0].box"),
        (" " * 20_000, Reason.LENGTH, "reply"),
    ],
)
def test_answer_that_is_not_as_agreed_is_refused_with_reason_and_field(
    content: str, reason: Reason, field: str
) -> None:
    error = refused(content)
    assert error.reason is reason
    assert field in error.text


def test_a_behaviour_without_anybody_to_do_it_is_refused() -> None:
    assert refused(text(), ids=()).reason is Reason.SUBJECT


def test_control_and_format_characters_and_line_breaks_never_reach_a_screen() -> None:
    caption = "One\x1b[2J person\r\nstands \u202egnihton\u202c \ud800here\u2028now"
    found = parse_reply(text(caption=caption), omega())
    assert found.caption == "One[2J person stands gnihton here now"
    found.caption.encode()


# The reports


def test_what_is_said_again_of_the_same_subjects_is_one_happening_with_one_start_and_one_end() -> None:
    reports = Reports("test")
    said = {
        1: [Statement("standing", 0.8, (3,)), Statement("pushing_fighting", 0.6, (3, 5))],
        2: [Statement("standing", 0.7, (3,)), Statement("standing", 0.7, (5,))],
        3: [Statement("lying", 0.7, (3,))],
    }
    found = [
        reports.report(omega(number).key, Reply("x", statements, [])).events for number, statements in said.items()
    ]
    told = [{(e.label, e.subject_ids): (e.event_id, e.phase) for e in events} for events in found]
    assert told[0] == {("standing", (3,)): (1, Phase.STARTED), ("pushing_fighting", (3, 5)): (2, Phase.STARTED)}
    assert told[1] == {
        ("standing", (3,)): (1, Phase.ONGOING),
        ("pushing_fighting", (3, 5)): (2, Phase.ENDED),
        ("standing", (5,)): (3, Phase.STARTED),
    }
    assert told[2] == {
        ("standing", (3,)): (1, Phase.ENDED),
        ("standing", (5,)): (3, Phase.ENDED),
        ("lying", (3,)): (4, Phase.STARTED),
    }
    assert {e.start_ns for events in found for e in events if e.event_id == 1} == {omega(1).key.stamp_ns}


# The settings


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://127.3.2.1/v1",
        "http://localhost:8000/v1",
        "http://[::1]:8000/v1",
        "https://models.example/v1",
        "HTTPS://models.example:8443/v1",
    ],
)
def test_loopback_and_https_are_private(url: str) -> None:
    require_private(url)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://models.example/v1", "plain text"),
        ("http://192.168.1.7:8000/v1", "plain text"),
        ("http://127.0.0.1.example/v1", "plain text"),
        ("http://localhost.example/v1", "plain text"),
        ("http://0.0.0.0:8000/v1", "plain text"),
        ("HTTP://models.example/v1", "plain text"),
        ("http://127.0.0.1@models.example/v1", "password"),
        ("https://me:secret@models.example/v1", "password"),
        ("", "not of the form"),
        ("127.0.0.1:8000", "not of the form"),
        ("ftp://127.0.0.1/v1", "not of the form"),
        ("https:///v1", "not of the form"),
        ("https://models.example/v1?key=secret", "more than host and path"),
        ("https://models.example:port/v1", "is no URL"),
        ("http://[::1/v1", "is no URL"),
    ],
)
def test_url_that_others_could_read_or_that_is_none_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(Unusable, match=complaint) as raised:
        Settings("openai", "tiny", url)
    assert str(raised.value).startswith("vlm_url")
    assert "secret@" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"vlm": "llama", "vlm_model": "x"}, "vlm: 'llama' is not one of transformers, openai"),
        ({"vlm": "transformers", "vlm_model": ""}, "vlm_model: is empty"),
        ({"vlm": "transformers", "vlm_model": "/no/such/folder"}, "vlm_model: '/no/such/folder' is neither a folder"),
        ({"vlm": "transformers", "vlm_model": "../x"}, "vlm_model"),
        ({"vlm": "transformers", "vlm_model": "a/b", "vlm_url": "http://127.0.0.1/v1"}, "vlm_url: vlm transformers"),
        (
            {"vlm": "openai", "vlm_model": "a", "vlm_url": "http://127.0.0.1/v1", "vlm_adapter": "a.npz"},
            "vlm_adapter: z cannot be given to a server",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_and_named(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Unusable, match=complaint):
        Settings(**given)


def test_default_cloud_loads_none_of_the_large_libraries() -> None:
    code = """
import sys
import privcam_cloud.nodes.inference
import privcam_cloud.nodes.composed
loaded = {"torch", "transformers", "openai", "PIL"} & set(sys.modules)
sys.exit(f"loaded {loaded}" if loaded else 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
