"""Figure 4: what the generator and the decoders give for test faces."""

import numpy as np

from gcnet_caffe.analysis.evaluation import by_torch
from gcnet_caffe.analysis.images import read_images, sheet
from gcnet_caffe.analysis.report.blocks import Figure, Hole, Section
from gcnet_caffe.analysis.report.pictures import class_name, drawing, figure_pixels, png_uri
from gcnet_caffe.analysis.report.run import LABELS, read_test
from gcnet_caffe.errors import GcnetError

_COLUMNS = 8
_ROWS = {
    "generated_reference": "generated reference",
    "reconstructed_reference": "reconstructed reference",
    "reconstructed_query": "reconstructed query",
}


def responses_section(run):
    """Query, true reference, generated reference and the two reconstructions."""
    section = Section("responses", "Figure 4: response maps", short="Fig. 4")
    if not run.pictures:
        text = "The experiment says `pictures: false`: its faces may not be passed on."
        section.blocks.append(Hole(text))
        return section
    name = next((n for n in ("S1R1", "S0R1") if run.first(n)), None)
    if not name:
        section.blocks.append(Hole("The run holds no trained net with reconstruction decoders."))
        return section
    try:
        section.blocks.append(_figure(run, name))
    except (GcnetError, OSError) as error:
        section.blocks.append(Hole(f"The response maps cannot be drawn: {error}"))
    return section


def _figure(run, name):
    method, fold, folder = run.first(name)
    data = run.folder / "data/pairs" / fold
    records = read_images(data / "test_lmdb")
    chosen = _chosen(records, data / "test.csv")
    blobs = _forward(folder, records.images)
    rows = [records.images[chosen, 0], records.images[chosen, 1]]
    rows += [blobs[blob][chosen, 0] for blob in _ROWS]
    titles = [class_name(run.classes, int(records.labels[i])) for i in chosen]
    pixels = _draw(rows, ["query", "true reference", *_ROWS.values()], titles)
    faces = "synthetic faces" if run.synthetic else "faces"
    return Figure(
        png_uri(pixels),
        f"Rows of {faces} of test subjects: query, true reference, generated reference, "
        "reconstructed reference, reconstructed query",
        f"As figure 4 of the paper: {LABELS[name]} of {fold} on {faces} of subjects it was not "
        "trained on. The true reference is shown for comparison; the net does not see it. The "
        "reconstructions play no part in recognition.",
        wide=True,
    )


def _forward(folder, images):
    model, weights = folder / "deploy_reconstruction.prototxt", folder / "weights.caffemodel"
    for path in (model, weights):
        if not path.is_file():
            raise GcnetError(f"{path}: not there")
    try:
        return by_torch(model, str(weights), images, list(_ROWS))
    except ModuleNotFoundError as error:
        raise GcnetError(f"needs {error.name}: pip install 'gcnet-caffe[torch]'") from None


def _chosen(records, sheet_path):
    """Places of the most intense query of each expression, the subjects taking turns."""
    try:
        rows = {row["key"]: row for row in read_test(sheet_path)}
    except GcnetError:
        rows = {}
    seen, chosen = set(), []
    for label in np.unique(records.labels)[:_COLUMNS]:
        places = np.flatnonzero(records.labels == label)
        about = [(rows.get(records.keys[i]) or {}) for i in places]
        order = [
            (row.get("subject") in seen, -row.get("rank", 0), i) for row, i in zip(about, places)
        ]
        best = min(order)[2]
        seen.add((rows.get(records.keys[best]) or {}).get("subject"))
        chosen.append(int(best))
    return chosen


def _draw(rows, names, titles):
    """The images with the rows' names at the left and the expressions above, RGB uint8."""
    picture = sheet([list(row) for row in rows], scale=1)
    high, wide = picture.shape[0] / len(rows), picture.shape[1] / len(titles)
    with drawing() as plt:
        figure, axis = plt.subplots(figsize=(picture.shape[1] / 64, picture.shape[0] / 64))
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
        axis.set_xticks([(i + 0.5) * wide for i in range(len(titles))], titles)
        axis.set_yticks([(i + 0.5) * high for i in range(len(rows))], names)
        axis.tick_params(length=0)
        axis.xaxis.tick_top()
        axis.spines[:].set_visible(False)
        return figure_pixels(figure)
