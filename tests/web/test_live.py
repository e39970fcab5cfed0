"""The live camera of the page, in Chromium with a fake camera that shows rendered faces."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from gcnet_caffe.recognition.recognizer import Recognizer
from gcnet_caffe.web.live import live_answer
from tests.web.browser import (
    FRAMES,
    WIDTH,
    face_places,
    filming,
    frame_number,
    open_browser,
    open_page,
    sent_file,
    sent_frame,
    shot,
    write_video,
)

LOOK = re.compile("component_server")


@pytest.fixture(scope="module")
def browser(driver, tmp_path_factory):
    video = tmp_path_factory.mktemp("video") / "faces.mjpeg"
    write_video(video)
    with open_browser(driver, *filming(video)) as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    with open_page(browser, server) as page:
        open_tab(page)
        yield page


def open_tab(page):
    page.get_by_role("tab", name="Live camera").click()
    page.wait_for_selector(".live button")


def start(page):
    page.get_by_role("button", name="Start the camera").click()


def answers(page, count):
    """The next requests of the page that are answered, `count` of them."""
    found = []
    while len(found) < count:
        with page.expect_response(LOOK) as response:
            pass
        found.append(response.value.request)
    return found


def test_each_frame_is_answered_with_a_box_on_each_face(page):
    start(page)
    requests = answers(page, 5)
    numbers = [frame_number(sent_frame(request)) for request in requests]
    assert len(set(numbers)) == 5
    for number, request in zip(numbers, requests):
        still, moving = [face["box"] for face in request.response().json()["faces"]]
        zoom = WIDTH / sent_frame(request).shape[1]
        lefts = zoom * still[0], zoom * moving[0]
        # a rendered face begins at about a quarter of its picture of 240 pixels
        assert np.array(lefts) - face_places(number)[::-1] == pytest.approx(60, abs=20)


def test_the_box_is_drawn_where_the_shown_face_is(page):
    """The page draws the very frame that was answered, mirrored."""
    start(page)
    page.wait_for_selector(".live .face >> nth=1")
    data = page.eval_on_selector(
        ".live canvas", "view => view.toDataURL('image/png').split(',')[1]"
    )
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    number = frame_number(drawn[:, ::-1, 1])
    green = (np.abs(drawn[:, ::-1].astype(int) - (61, 214, 140)).max(axis=2) < 20)[120:320]
    lines = np.flatnonzero(green.mean(axis=0) > 0.4)
    shot(page, "live")
    for left in face_places(number):
        inside = lines[(lines > left) & (lines < left + 240)] - left
        assert 40 < inside.min() < 80 and 160 < inside.max() < 200


def test_the_expressions_are_shown_with_their_probabilities(page):
    start(page)
    page.wait_for_selector(".live .face >> nth=1")
    titles, rows = page.evaluate(
        """() => [
            [...document.querySelectorAll(".live h3")].map((title) => title.textContent),
            [...document.querySelectorAll(".live .most")].map((row) => row.innerText)]"""
    )
    for place, (title, row) in enumerate(zip(titles, rows), 1):
        found = re.fullmatch(rf"{place}: (\w+) (\d+) %", title)
        name, value, _ = row.split()
        assert found[1].lower() == name and float(found[2]) == pytest.approx(float(value), abs=0.51)


def test_below_the_threshold_it_is_not_sure(unsure_model, photograph):
    frame = f"data:image/png;base64,{base64.b64encode(photograph.read_bytes()).decode()}"
    answer = live_answer(Recognizer.load(unsure_model), frame)
    [face] = answer["faces"]
    assert not face["sure"] and re.fullmatch(r"Not sure: \w+ \d\d %", face["label"])
    assert face["label"] in answer["html"]


def test_frames_that_come_before_the_answer_are_dropped(page):
    held = []
    page.route(LOOK, lambda route: held.append(route))
    start(page)
    for _ in range(2):
        page.wait_for_function(_PRESENTED, arg=20)
        assert len(held) == 1
        waited = held.pop()
        number = frame_number(sent_frame(waited.request))
        with page.expect_request(LOOK) as request:
            waited.continue_()
        assert (frame_number(sent_frame(request.value)) - number) % FRAMES >= 20


#: Resolves when the camera's video has shown so many more frames.
_PRESENTED = """async (count) => {
    const video = document.querySelector(".live video");
    while (!video.srcObject) await new Promise(requestAnimationFrame);
    while (count--) await new Promise((shown) => video.requestVideoFrameCallback(shown));
    return true;
}"""


def test_it_is_used_with_the_keyboard_and_ends(page, server):
    button = page.get_by_role("button", name="Start the camera")
    page.get_by_role("tab", name="Live camera").focus()
    page.keyboard.press("Tab")
    assert button.evaluate("button => button === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_selector(".live .face")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The camera is off.")
    assert page.evaluate("document.querySelector('.live video').srcObject") is None
    assert not page.query_selector(".live .face")
    assert server.uploads() == []


def test_it_ends_where_another_tab_is_opened(page):
    start(page)
    page.wait_for_selector(".live .face")
    page.get_by_role("tab", name="Picture").click()
    page.wait_for_function("document.querySelector('.live video')?.srcObject == null")
    open_tab(page)
    assert page.get_by_role("button", name="Start the camera").is_visible()


def test_one_s_own_neutral_face_is_compared_with(driver, server, tmp_path):
    write_video(tmp_path / "face.mjpeg", faces=1)
    flags = filming(tmp_path / "face.mjpeg")
    with open_browser(driver, *flags) as browser, open_page(browser, server) as page:
        open_tab(page)
        start(page)
        page.get_by_role("button", name="Use as neutral face").click()
        page.wait_for_selector("text=Every face is compared with the neutral one.")
        shot(page, "compared")
        request = answers(page, 1)[0]
        neutral = Recognizer.load().predict(sent_file(request, 1))[0]
        [face] = Recognizer.load().predict(sent_file(request), reference=neutral)
        label = request.response().json()["faces"][0]["label"]
        words = f"{face.expression} {100 * face.confidence:.0f} %"
        assert label == (words.capitalize() if face.sure else f"Not sure: {words}")
        page.get_by_role("button", name="Forget the neutral face").click()
        page.wait_for_selector("text=The camera is on.")
        assert answers(page, 1)[0].post_data_json["data"][1] is None


def test_two_faces_are_not_taken_as_the_neutral_one(page):
    start(page)
    page.wait_for_selector(".live .face >> nth=1")
    assert page.get_by_role("button", name="Use as neutral face").is_disabled()


def test_no_face_is_told(driver, server):
    with open_browser(driver) as browser, open_page(browser, server) as page:
        open_tab(page)
        start(page)
        page.wait_for_selector("text=No face is found.")


def test_without_a_camera_one_sentence_says_so(driver, server):
    flag = "--use-fake-device-for-media-stream=device-count=0"
    with open_browser(driver, flag) as browser, open_page(browser, server) as page:
        open_tab(page)
        start(page)
        page.wait_for_selector("text=This browser has no camera. Use a picture instead.")
        shot(page, "no_camera")


def test_a_program_that_does_not_answer_is_told(page):
    start(page)
    page.wait_for_selector(".live .face")
    page.route(LOOK, lambda route: route.abort())
    page.wait_for_selector("text=The program that serves this page does not answer.")
    assert page.get_by_role("button", name="Start the camera").is_visible()
