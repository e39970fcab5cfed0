"""Cases of the layers that the paper's nets do not use, and users' nets do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engine.parity.case import Case, begin, labels, normal, positive


def _elements() -> Iterator[Case]:
    x = normal(2, 3, 5, 4)
    for shape in ((7,), (2, 3, 4), (2, 2, 2, 3, 2)):
        yield Case("BNLL", "", [normal(*shape)])
    wide = np.array([-300, -60, -20, -1, 0, 1, 20, 49, 51, 300], np.float32)
    yield Case("BNLL", "", [wide], name="BNLL(far from 0)")
    for text in ("", "swish_param { beta: 2 }", "swish_param { beta: -0.5 }"):
        yield Case("Swish", text, [x * 3])
    yield Case("Parameter", "parameter_param { shape { dim: 3 dim: 4 } }", [])
    yield Case("Parameter", "parameter_param { shape { } }", [])


def _items() -> Iterator[Case]:
    """Layers that choose items by number; their numbers take no gradient, even if forced to."""
    for text in ("", "bias_term: false"):
        param = f"embed_param {{ num_output: 4 input_dim: 6 {text} }}"
        for words in (labels(6, 7), labels(6, 3, 5), labels(6, 2, 3, 1)):
            yield Case("Embed", param, [words], labels=(0,), forced=False)
    yield Case("BatchReindex", "", [normal(3, 2, 4), labels(3, 5)], labels=(1,), forced=False)
    yield Case("BatchReindex", "", [normal(4), labels(4, 2)], labels=(1,), forced=False)
    some = np.array([0, 2, 0, -1, 0.5], np.float32)
    for selector in (some, some.reshape(5, 1, 1), np.ones(5, np.float32)):
        shape = "x".join(map(str, selector.shape))
        for data in ([normal(5, 2, 3)], [normal(5), normal(5, 2, 1, 2)]):
            yield Case(
                "Filter",
                "",
                [*data, selector],
                tops=len(data),
                labels=(len(data),),
                forced=False,
                name=f"Filter({len(data)} bottoms, {int((selector != 0).sum())} of {shape})",
            )


def _windows() -> Iterator[Case]:
    x = normal(2, 3, 7, 6)
    for text in (
        "kernel_size: 3",
        "kernel_size: 3 pad: 1 stride: 2 dilation: 2",
        "kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 1 stride_h: 2 stride_w: 1",
        "kernel_size: 2 kernel_size: 3 stride: 1 stride: 2 pad: 0 pad: 1 dilation: 2 dilation: 1",
        "kernel_size: 2 force_nd_im2col: true",
        "kernel_size: 2 axis: -3",
    ):
        yield Case("Im2col", f"convolution_param {{ {text} }}", [x])
    yield Case("Im2col", "convolution_param { kernel_size: 2 axis: 2 }", [normal(2, 3, 2, 4, 3)])
    yield Case("Im2col", "convolution_param { kernel_size: 3 stride: 2 }", [normal(2, 3, 9)])
    yield Case("Im2col", "convolution_param { kernel_size: 2 pad: 1 }", [normal(1, 2, 3, 4, 3)])
    for pool in ("MAX", "AVE"):
        for height in (1, 2, 3):
            for size in ((7, 6), (9, 13)):
                text = f"spp_param {{ pyramid_height: {height} pool: {pool} }}"
                yield Case("SPP", text, [normal(2, 3, *size)])


def _losses() -> Iterator[Case]:
    x, y = normal(5, 4), labels(4, 5)
    gains, maps, places = normal(4, 4), normal(2, 4, 3, 2), labels(4, 2, 3, 2)
    for text in ("", "loss_weight: 0.3", "loss_param { ignore_label: 1 }"):
        yield Case("InfogainLoss", text, [x, y, gains], labels=(1, 2), forced=False)
    for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
        for ignore in ("", "ignore_label: 2"):
            text = f"loss_param {{ normalization: {mode} {ignore} }}"
            yield Case("InfogainLoss", text, [maps, places, gains], labels=(1, 2), forced=False)
    text = "infogain_loss_param { axis: 2 } loss_param { ignore_label: 0 }"
    bottoms = [maps, labels(3, 2, 4, 2), normal(1, 1, 3, 3)]
    yield Case("InfogainLoss", text, bottoms, labels=(1, 2), forced=False)
    yield Case(
        "InfogainLoss",
        "",
        [x * 80, y, gains],
        labels=(1, 2),
        forced=False,
        name="InfogainLoss(probability 0)",
    )
    yield Case(
        "InfogainLoss",
        "loss_param { ignore_label: 3 }",
        [x, np.full(5, 3, np.float32), gains],
        labels=(1, 2),
        forced=False,
        name="InfogainLoss(all ignored)",
    )
    chances = positive(5, 4) / 3
    yield Case("MultinomialLogisticLoss", "", [chances, y], labels=(1,))
    yield Case(
        "MultinomialLogisticLoss", "loss_weight: 2", [normal(3, 4, 1, 1), y[:3]], labels=(1,)
    )
    zeros = chances.copy()
    zeros[0], zeros[1] = 0, 1e-30
    yield Case("MultinomialLogisticLoss", "", [zeros, y], labels=(1,), name="Multinomial...(0)")


def _recurrent() -> Iterator[Case]:
    cell, gates = normal(1, 3, 4), normal(1, 3, 16)
    for cont in ([[1, 0, 1]], [[0.5, 1, 0.25]]):
        bottoms = [cell, gates, np.array(cont, np.float32)]
        yield Case("LSTMUnit", "", bottoms, 2, (2,), name=f"LSTMUnit(cont {cont})")
    conts = np.array([[0, 1], [1, 1], [1, 0], [1, 1]], np.float32)
    for kind, states in (("LSTM", 2), ("RNN", 1)):
        for static in (False, True):
            for exposed in (False, True):
                for x in (normal(4, 2, 3), normal(4, 2, 2, 3)):
                    bottoms = [x, conts]
                    bottoms += [normal(2, 5)] if static else []
                    bottoms += [normal(1, 2, 3) for _ in range(states)] if exposed else []
                    exposing = "expose_hidden: true" if exposed else ""
                    yield Case(
                        kind,
                        f"recurrent_param {{ num_output: 3 {exposing} }}",
                        bottoms,
                        1 + exposed * states,
                        (1, *range(2 + static, len(bottoms))),
                        only_first=True,
                    )
        once = "recurrent_param { num_output: 3 }"
        yield Case(kind, once, [normal(1, 2, 3), conts[:1]], labels=(1,))
        real = np.array([[0.5, 2], [1, 0.1]], np.float32)
        yield Case(kind, once, [normal(2, 2, 3), real], labels=(1,), name=f"{kind}(cont is real)")


begin(0)
BVLC_CASES = [*_elements(), *_items(), *_windows(), *_losses(), *_recurrent()]
