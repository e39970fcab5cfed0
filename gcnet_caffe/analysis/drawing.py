"""The data flow of a generated net, drawn block by block: figure 3 of the paper."""

import re

from gcnet_caffe.analysis.log import import_pyplot
from gcnet_caffe.schema import read_net

#: Layer name -> block and its place (column, row), first match wins.
BLOCKS = (
    (r"(data|split_pair|query|reference|image|(reference|label)_unused|(real|generated)_label)$",
     "query and\nreference", 0, 2),
    (r"enc1_", "encoder 1", 1, 1),
    (r"latent|kl_|loss_kl", "latent", 1.5, 0.2),
    (r"dec1_", "decoder 1", 2, 1),
    (r"disc_", "discriminator", 2.3, 0.2),
    (r"ae_dec_", "decoder", 2, 1),
    (r"enc2_.*_reference$|reference_embedding", "encoder 2\n(reference)", 3, 1),
    (r"enc2_|query_embedding|embedding", "encoder 2\n(query)", 3, 3),
    (r"dec2i_", "decoder 2\n(query)", 4.2, 3.7),
    (r"dec2r_", "decoder 2\n(reference)", 4.2, 0.6),
    (r"delta", "δ", 4.2, 1.6),
    (r"(id_)?fc\d", "dropout, FC,\nReLU, FC", 5.2, 1.6),
    (r"(query|reference)_(square|norm2|inverse_norm|unit)|similar|pair_|inside_|outside_|margin_"
     r"|dissimilar_|loss_contrastive", "contrastive\nloss (S)", 4.2, 2.7),
    (r"loss_(generation|generated|real|reconstruction)", "generative\nloss", 3, 0.2),
    (r"loss_query", "reconstruction\nloss (R)", 5.4, 3.7),
    (r"loss_reference", "reconstruction\nloss (R) ", 5.4, 0.6),
    (r"loss_classification|accuracy|prob", "cross\nentropy (C)", 6.3, 1.6),
)  # fmt: skip
_COLOURS = {"encoder": "#cfe2f3", "decoder": "#fce5cd", "δ": "#d9ead3", "loss": "#f4cccc"}
_COLOURS["entropy"] = _COLOURS["loss"]
_ARROWS = {
    "data": {"linewidth": 1.5, "color": "#333333"},
    "target": {"linewidth": 0.6, "color": "#aaaaaa"},
}


def data_flow(net):
    """Return (blocks, edges) of a NetParameter.

    Returns
    -------
    blocks : dict
        Block -> place (column, row).
    edges : dict
        (block, block) -> 'data', or 'target' for what a loss compares with.
    """
    blocks, edges, made_by = {}, {}, {}
    for layer in net.layer:
        block, *place = _block(layer.name)
        blocks[block] = place
        for bottom in layer.bottom:
            source = made_by.get(bottom, block)
            if source != block:
                edges[source, block] = _kind(source, block)
        made_by.update({top: block for top in layer.top})
    return blocks, edges


def draw_net(path, out):
    """Draw the net at `path` (a prototxt of ours) into the picture `out`.

    Thick arrows are images and features, thin ones the images and labels that losses compare with.
    """
    plt = import_pyplot()
    blocks, edges = data_flow(read_net(path))
    figure, axis = plt.subplots(figsize=(10, 4.6))
    for (source, target), kind in edges.items():
        arrow = {"arrowstyle": "-|>", "shrinkA": 20, "shrinkB": 26, **_ARROWS[kind]}
        axis.annotate("", blocks[target], blocks[source], arrowprops=arrow)
    for block, (x, y) in blocks.items():
        colour = next((c for word, c in _COLOURS.items() if word in block), "white")
        box = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "#555555"}
        axis.text(x, y, block, ha="center", va="center", fontsize=8.5, bbox=box)
    axis.set_xlim(-0.5, 6.8)
    axis.set_ylim(4.2, -0.3)
    axis.axis("off")
    figure.tight_layout(pad=0.2)
    figure.savefig(out, dpi=110)
    plt.close(figure)


def _block(name):
    return next(found for pattern, *found in BLOCKS if re.match(pattern, name))


def _kind(source, block):
    from_data = source == _block("data")[0]
    return "target" if from_data and "encoder" not in block else "data"
