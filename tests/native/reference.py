"""What the two layers compute, as plain loops and numpy formulas in double precision."""

import numpy as np

#: kernel, stride, pad (height, width), and the full size
GEOMETRIES = {
    "even": ((2, 2), (2, 2), (0, 0), (6, 8)),
    "odd": ((2, 2), (2, 2), (0, 0), (7, 5)),
    "one row": ((2, 2), (2, 2), (0, 0), (1, 4)),
    "overlapping": ((3, 3), (2, 2), (0, 0), (8, 7)),
    "padded": ((3, 3), (2, 2), (1, 1), (8, 7)),
    "rectangular": ((2, 3), (1, 2), (0, 1), (5, 8)),
    "gaps": ((2, 2), (3, 3), (0, 0), (8, 8)),
}


def max_pool(x, kernel, stride, pad):
    """Pool (N, C, H, W) by MAX as Caffe does; return values and mask of flat indices.

    Rounded up, the first of equal maxima wins. `kernel`, `stride`, `pad` are (height, width).
    """
    size = [pooled_size(x.shape[2 + i], kernel[i], stride[i], pad[i]) for i in (0, 1)]
    values = np.empty((*x.shape[:2], *size), x.dtype)
    mask = np.empty_like(values)
    width = x.shape[3]
    for n, c, i, j in np.ndindex(values.shape):
        window = [
            (h, w)
            for h in _span(i, kernel[0], stride[0], pad[0], x.shape[2])
            for w in _span(j, kernel[1], stride[1], pad[1], width)
        ]
        h, w = max(window, key=lambda at: x[n, c][at])  # max keeps the first of equals
        values[n, c, i, j], mask[n, c, i, j] = x[n, c, h, w], h * width + w
    return values, mask


def max_unpool(values, mask, height, width):
    """Put each value at the index its mask names; values that meet add up."""
    out = np.zeros((*values.shape[:2], height * width), values.dtype)
    for n, c, i, j in np.ndindex(values.shape):
        out[n, c, int(mask[n, c, i, j])] += values[n, c, i, j]
    return out.reshape(*values.shape[:2], height, width)


def normalized_distance(a, b):
    """|a / |a| - b / |b|| over the rows, |x| = sqrt(sum of squares + 1e-6)."""
    return np.abs(_unit(a) - _unit(b))


def normalized_distance_gradient(a, b, dy):
    """The gradients of sum(dy * normalized_distance(a, b)) by the rows' Jacobian matrices."""
    s = np.sign(_unit(a) - _unit(b)) * dy
    return _through_norm(a, s), _through_norm(b, -s)


def _unit(x):
    return x / np.sqrt((x**2).sum(1, keepdims=True) + 1e-6)


def _through_norm(x, s):
    out = np.empty_like(x)
    for row, (vector, upstream) in enumerate(zip(x, s)):
        norm = np.sqrt((vector**2).sum() + 1e-6)
        jacobian = np.eye(len(vector)) / norm - np.outer(vector, vector) / norm**3
        out[row] = jacobian @ upstream
    return out


def pooled_size(full, kernel, stride, pad):
    pooled = int(np.ceil((full + 2 * pad - kernel) / stride)) + 1
    return pooled - 1 if pad and (pooled - 1) * stride >= full + pad else pooled


def _span(cell, kernel, stride, pad, full):
    first = cell * stride - pad
    return range(max(first, 0), min(first + kernel, full))
