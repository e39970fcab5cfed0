"""Short names of this package's array types, for type checkers: nothing is imported at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Union

    import numpy as np
    from numpy.typing import NDArray

    #: Points (N, 2), strengths (units,), ...
    Array = NDArray[np.float64]
    #: One number for each pixel of the canvas, the depth map or the picture, (H, W).
    Map = NDArray[np.float32]
    #: A picture or a mask, (H, W), 0..255.
    Grey = NDArray[np.uint8]
    #: A grey tone of 0..1, or one for each pixel of the canvas.
    Tone = Union[float, NDArray[np.floating[Any]]]
    #: Gives the strengths (right, left) of an action unit.
    Show = Callable[[int], NDArray[np.float64]]
    #: The traits of `subject.SHAPE`.
    Shape = Mapping[str, float]
