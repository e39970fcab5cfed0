"""The page, driven in headless Chromium: what a user does, and what a user should not do."""

import base64
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import urlparse

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image

from gcnet_caffe.cli import main
from gcnet_caffe.recognition.drawing import delta_heat, enlarged
from gcnet_caffe.recognition.recognizer import Recognizer
from tests.recognition.models import rendered
from tests.web.browser import LIMIT, open_browser, open_page, shot


@pytest.fixture(scope="module")
def browser(driver):
    with open_browser(driver) as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    with open_page(browser, server) as page:
        yield page


def give(page, path):
    page.set_input_files("input[type=file]", str(path))


def test_a_face_is_uploaded_and_its_result_is_shown(page, photograph):
    give(page, photograph)
    page.wait_for_selector(".face")
    shot(page, "result")
    wanted = Recognizer.load().predict(photograph)[0]
    assert page.inner_text(".face h3").lower() == wanted.expression
    rows = [row.inner_text().split() for row in page.query_selector_all(".probabilities tr")]
    ranked = sorted(wanted.probabilities.items(), key=lambda item: -item[1])
    assert [row[0] for row in rows] == [name for name, _ in ranked]
    assert [float(row[1]) for row in rows] == pytest.approx([100 * p for _, p in ranked], abs=0.06)
    pictures = page.query_selector_all(".face img")
    names = [picture.get_attribute("alt").split(",")[0] for picture in pictures]
    assert names == ["Face", "Neutral reference", "Where they differ"]
    assert all(picture.evaluate("image => image.naturalWidth") == 132 for picture in pictures)
    made = [enlarged(wanted.query), enlarged(wanted.reference), delta_heat(wanted.delta)]
    for picture, pixels in zip(pictures, made):
        data = base64.b64decode(picture.get_attribute("src").split(",")[1])
        assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) == pixels).all()
    assert "trained on synthetic faces only" in page.inner_text(".notice")


def test_the_next_picture_replaces_the_result(page, photograph, tmp_path):
    give(page, photograph)
    page.wait_for_selector(".face")
    page.get_by_label("Remove Image").click()
    page.wait_for_selector(".result .hint")
    two = np.hstack([rendered(3), rendered(4, "surprise")])
    cv2.imwrite(str(tmp_path / "two.png"), two)
    give(page, tmp_path / "two.png")
    page.wait_for_selector(".face >> nth=1")
    shot(page, "two")
    assert page.inner_text(".count").startswith("2 faces, the largest first")
    assert [title.inner_text()[:3] for title in page.query_selector_all(".face h3")] == [
        "1: ",
        "2: ",
    ]
    boxes = page.eval_on_selector_all(
        ".overview rect",
        "all => all.map(({x, y, width, height}) => "
        "[x, y, width, height].map((length) => length.baseVal.value))",
    )
    faces = Recognizer.load().predict(tmp_path / "two.png")
    assert np.array(boxes) == pytest.approx(np.array([face.box for face in faces]), abs=0.06)


def test_a_picture_without_a_face(page, tmp_path):
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((100, 120), 128, np.uint8))
    give(page, tmp_path / "blank.png")
    page.wait_for_selector("text=No face was found")
    shot(page, "no_face")
    assert not page.query_selector_all(".face") and "upright" in page.inner_text(".result")


def test_an_oversized_file_is_refused(page, server, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1100), np.uint8)
    cv2.imwrite(str(tmp_path / "large.png"), noise)
    assert (tmp_path / "large.png").stat().st_size > LIMIT * 2**20
    before = server.uploads()
    give(page, tmp_path / "large.png")
    page.wait_for_selector("text=/exceed the maximum allowed size of 1.0 MB/i")
    shot(page, "oversized")
    assert page.query_selector(".result .hint") and server.uploads() == before


def test_the_server_refuses_an_oversized_file_whoever_sends_it(server):
    before = server.uploads()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = head + bytes(int(LIMIT * 2**20) + 1) + b"\r\n--x--\r\n"
    request = urllib.request.Request(f"{server.address}gradio_api/upload", body)
    request.add_header("Content-Type", "multipart/form-data; boundary=x")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 413
    refused.value.close()
    assert server.uploads() == before


def test_a_file_that_was_not_uploaded_is_not_looked_at(server, photograph):
    """Whoever talks to the server past the page may name any path."""
    given = {"path": str(photograph), "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [given], "fn_index": 0, "session_hash": "x"}).encode()
    request = urllib.request.Request(f"{server.address}gradio_api/queue/join", body)
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request).close()
    with urllib.request.urlopen(f"{server.address}gradio_api/queue/data?session_hash=x") as answer:
        said = answer.read().decode()
    last = [json.loads(line[6:]) for line in said.splitlines() if "process_completed" in line]
    assert [message["success"] for message in last] == [False]
    assert "class=" not in said and "face" not in said.replace(str(photograph), "")


@pytest.mark.parametrize(
    "name, words",
    [
        ("words.png", "not a whole image"),
        ("cut.png", "cut off after"),
        ("bomb.png", "more than 100 million pixels"),
        ("page.svg", "an SVG drawing, which is not read"),
    ],
)
def test_what_is_no_picture_is_told_in_one_line(page, photograph, tmp_path, name, words):
    path = tmp_path / name
    if name == "cut.png":
        path.write_bytes(photograph.read_bytes()[:2000])
    elif name == "bomb.png":
        Image.new("1", (20000, 20000)).save(path)
    else:
        path.write_text(
            "<svg xmlns='http://www.w3.org/2000/svg'/>" if name == "page.svg" else "words"
        )
    give(page, path)
    page.wait_for_selector("text=This file cannot be read.")
    shot(page, name)
    said = page.inner_text(".result")
    assert words in said and "/" not in said and "\n" not in said.strip()


_PLAYS = "[...document.querySelectorAll('video')].some(video => video.currentTime > 0.1)"


def test_a_picture_from_the_camera(page):
    page.get_by_label("Capture from camera").or_(page.get_by_label("Webcam")).first.click()
    page.get_by_text(re.compile("click to access webcam", re.I)).click()
    page.wait_for_function(_PLAYS)
    page.get_by_label(re.compile("capture photo", re.I)).click()
    page.wait_for_selector("text=No face was found")  # the browser's own test picture
    shot(page, "camera")


def test_it_listens_at_this_machine_s_own_address_and_talks_to_nobody_else(page, server):
    connections = psutil.Process(server.process.pid).net_connections()
    assert {c.laddr.ip for c in connections} == {"127.0.0.1"}
    assert {c.raddr.ip for c in connections if c.raddr} <= {"127.0.0.1"}


@pytest.mark.parametrize("words", [["--max-upload", "0"], ["--port", "99999"], ["--model", "none"]])
def test_misuse_is_2(words, capsys):
    assert main(["web", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(server):
    port = str(urlparse(server.address).port)
    command = [sys.executable, "-m", "gcnet_caffe.cli", "web", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(f"gcnet web: error: --port {port}: ")
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_without_gradio_there_is_one_line():
    """In a process that cannot import it."""
    code = "import sys; sys.modules['gradio'] = None; from gcnet_caffe.cli import main; "
    code += "sys.exit(main(['web']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'gcnet-caffe[web]'" in done.stderr
    assert done.stderr.count("\n") == 1
