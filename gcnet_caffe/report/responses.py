"""Figure 4: what the generator and the decoders give for test faces."""

from __future__ import annotations

from functools import partial

from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.nets.layer_names import (
    GENERATED_REFERENCE,
    RECONSTRUCTED_QUERY,
    RECONSTRUCTED_REFERENCE,
)
from gcnet_caffe.report.blocks import NO_PICTURES, Block, Figure, Missing, or_missing
from gcnet_caffe.report.faces import chosen_faces, draw_faces, made_by
from gcnet_caffe.report.run import Run, Trained

#: Blob of the deploy net with reconstruction -> its row.
ROWS = {
    GENERATED_REFERENCE: "generated reference",
    RECONSTRUCTED_REFERENCE: "reconstructed reference",
    RECONSTRUCTED_QUERY: "reconstructed query",
}


def responses(run: Run) -> list[Block]:
    """Draw query, true reference, generated reference and the two reconstructions."""
    net = run.first("S1R1") or run.first("S0R1")
    if not run.pictures:
        return [NO_PICTURES]
    if not net:
        return [Missing("The run has no trained net with reconstruction decoders.")]
    return [or_missing(partial(_figure, run, net), "The response maps cannot be drawn")]


def _figure(run: Run, net: Trained) -> Figure:
    faces = "synthetic faces" if run.synthetic else "faces"
    return Figure(
        draw_responses(run, net.fold, net.folder),
        f"Rows of {faces} of test subjects: query, true reference, generated reference, "
        "reconstructed reference, reconstructed query",
        f"As figure 4 of the paper: {net.method.label} of {net.fold} on {faces} of "
        "subjects it was not trained on. The true reference is shown for comparison; the net does "
        "not see it. The reconstructions play no part in recognition.",
        wide=True,
    )


def draw_responses(run: Run, fold: str, folder: ResultFolder) -> str:
    """Draw what the net in `folder` makes of some test faces of `fold`; return a data URI."""
    data = run.folder.pairs(fold)
    records = read_images(data / "test_lmdb")
    chosen = chosen_faces(records, data)
    images = records.images[chosen]
    made = made_by(folder.deploy_reconstruction, folder, images, ROWS)
    rows = {"query": images[:, 0], "true reference": images[:, 1]}
    rows.update({name: made[blob] for blob, name in ROWS.items()})
    return draw_faces(rows, run.classes, records.labels[chosen])
