"""Convolution, Deconvolution and Im2col.

Source: Caffe src/caffe/layers/base_conv_layer.cpp and im2col_layer.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import TRAIN, Shape, Tops, Weighted, register
from gcnet_caffe.engine.loops import channels_last_array, has_numba, share
from gcnet_caffe.formats.shapes import convolved_size, deconvolved_size, per_axis

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_DECONVOLVE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class _Windows(Weighted):
    """Reads kernel, stride, padding and dilation of a convolution_param, one value per axis."""

    def read_windows(self, shape: Shape) -> None:
        """Set `kernel`, `stride`, `padding`, `dilation` for the axes after the channels."""
        self.channel_axis = self.axis(self.param.convolution_param.axis, len(shape))
        spatial = len(shape) - self.channel_axis - 1
        self.check(
            spatial > 0, f"axis {self.channel_axis}: found {len(shape)} axes, wanted some after it"
        )
        self.kernel = self._spatial("kernel_size", "kernel", spatial, 0)
        self.stride = self._spatial("stride", "stride", spatial, 1)
        self.padding = self._spatial("pad", "pad", spatial, 0)
        self.dilation = self._spatial("dilation", "", spatial, 1)
        for name in ("kernel", "stride", "dilation"):
            self.check(min(getattr(self, name)) > 0, f"{name}: found 0, wanted 1 or more")

    def check_sizes(self, shapes: Sequence[Shape]) -> None:
        """Check that there is a window at all."""
        sizes = self.top_shapes(shapes)[0][self.channel_axis + 1 :]
        self.check(min(sizes) > 0, f"kernel {self.kernel} is larger than the bottom {shapes[0]}")

    def _spatial(self, name: str, short: str, count: int, default: int) -> Shape:
        """Return one value per axis: repeated, given once for all, or as _h and _w."""
        param = self.param.convolution_param
        given = len(getattr(param, name))
        if short and (param.HasField(f"{short}_h") or param.HasField(f"{short}_w")):
            self.check(not given, f"{name} and {short}_h, {short}_w: give one or the other")
            self.check(count == 2, f"{short}_h and {short}_w are for 2 spatial axes")
        else:
            wanted = (1, count) if short == "kernel" else (0, 1, count)
            self.check(given in wanted, f"{name}: found {given} values, wanted 1 or {count}")
        return tuple(per_axis(param, name, short, count, default))


class _Filters(_Windows):
    """What both have in common: 1 to 3 spatial axes after `axis`, groups, bias."""

    bottoms, tops = (1, None), (1, None)
    #: Count of spatial axes -> PyTorch's function.
    functions: dict[int, Callable[..., torch.Tensor]]
    #: For windows of one channel, on a GPU.
    by_products: Callable[..., torch.Tensor]
    transposed = False

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.convolution_param, shapes[0]
        self.check(len(self.param.bottom) == self.num_tops, "wanted as many tops as bottoms")
        self.check(
            all(other == shape for other in shapes),
            f"bottoms: found shapes {list(shapes)}, wanted one shape",
        )
        spatial = len(shape) - self.axis(param.axis, len(shape)) - 1
        self.check(
            1 <= spatial <= 3, f"axis {param.axis}: leaves {spatial} spatial axes, wanted 1 to 3"
        )
        self.read_windows(shape)
        self.group: int = param.group
        outputs: int = param.num_output
        channels = shape[self.channel_axis]
        self.check(outputs > 0, "num_output: found 0, wanted 1 or more")
        self.check(
            self.group > 0 and channels % self.group == 0 and outputs % self.group == 0,
            f"group {self.group}: must divide the {channels} channels and num_output {outputs}",
        )
        rows, columns = (channels, outputs) if self.transposed else (outputs, channels)
        self.add_weights((rows, columns // self.group, *self.kernel), param)
        self.check_sizes(shapes)

    def _run(self, function: Callable[..., torch.Tensor], bottom: torch.Tensor) -> torch.Tensor:
        leading = bottom.shape[: self.channel_axis]
        if len(leading) != 1:
            bottom = bottom.reshape(math.prod(leading), *bottom.shape[self.channel_axis :])
        if bottom.device.type == "cuda" and self._suits_products():
            function = self.by_products
        top = function(
            bottom,
            self.blob(0),
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.group,
        )
        return top if len(leading) == 1 else top.reshape(*leading, *top.shape[1:])

    def _suits_products(self) -> bool:
        """Whether windows are of one channel, and all of them not much larger than the other blob.

        cuDNN is slow there: such layers took a third of the time of a step of S1R1 (docs/gpu.md).
        """
        others, single = self.blob(0).shape[:2]
        few = len(self.kernel) == 2 and self.group == 1 and math.prod(self.kernel) <= 2 * others
        return few and single == 1

    def _is_of_one_map(self, bottom: torch.Tensor) -> bool:
        """Whether it goes with stride 1 from or to one channel, on a CPU: _OneMap is faster."""
        return (
            bottom.dim() == 4
            and self.channel_axis == 1
            and bottom.device.type == "cpu"
            and self.blob(0).shape[1] == 1
            and self.group == 1
            and self.stride == self.dilation == (1, 1)
            and self.padding[1] < self.kernel[1]
        )

    def _winograd(self, bottom: torch.Tensor) -> torch.Tensor | None:
        """Return the top by our loops for 3x3 with stride 1, in training on a CPU; or None."""
        plain = self.stride == self.dilation == (1, 1) and self.group == 1
        plain = plain and self.kernel == (3, 3) and self.padding[0] == self.padding[1]
        if not (plain and self.phase == TRAIN and bottom.device.type == "cpu"):
            return None
        if self.channel_axis != 1 or torch.compiler.is_compiling():
            return None
        from gcnet_caffe.engine import winograd

        weight, pad = self.blob(0), self.padding[0]
        if not winograd.suits(bottom, weight.shape[0], weight.shape[1], pad):
            return None
        top: torch.Tensor = winograd.Convolved.apply(
            bottom, weight, self.bias, pad, self.transposed
        )
        return top

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        by_loops = self._winograd(bottoms[0]) if len(bottoms) == 1 else None
        if by_loops is not None:
            return by_loops
        function = self.functions[len(self.kernel)]
        tops = tuple(self._run(function, bottom) for bottom in bottoms)
        return tops if len(tops) > 1 else tops[0]


def convolve_by_products(
    bottom: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int = 1,
) -> torch.Tensor:
    """Return F.conv2d of a bottom with one channel, as a product with the matrix of its windows.

    Parameters
    ----------
    bottom : (N, 1, H, W) tensor
    weight : (O, 1, kernel_h, kernel_w) tensor
    bias : (O,) tensor or None
    stride, padding, dilation : pairs of int
    groups : int
        1.

    Returns
    -------
    (N, O, H', W') tensor
        In the channels-last memory format.
    """
    kernel = weight.shape[2:]
    windows = F.unfold(_autocast(bottom), kernel, dilation, padding, stride).transpose(1, 2)
    extra = -windows.shape[2] % _ALIGNED
    made = F.linear(F.pad(windows, (0, extra)), F.pad(weight.flatten(1), (0, extra)), bias)
    sizes = tuple(map(convolved_size, bottom.shape[2:], kernel, stride, padding, dilation))
    top: torch.Tensor = made.transpose(1, 2).unflatten(2, sizes)
    return top


def deconvolve_by_products(
    bottom: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int = 1,
) -> torch.Tensor:
    """Return F.conv_transpose2d into one channel: a product makes windows, which add up.

    Parameters
    ----------
    bottom : (N, C, H, W) tensor
    weight : (C, 1, kernel_h, kernel_w) tensor
    bias : (1,) tensor or None
    stride, padding, dilation : pairs of int
    groups : int
        1.

    Returns
    -------
    (N, 1, H', W') tensor
    """
    kernel = weight.shape[2:]
    count = math.prod(kernel)
    taps = F.pad(weight.flatten(1), (0, -count % _ALIGNED))
    made = bottom.permute(0, 2, 3, 1).flatten(1, 2) @ taps
    sizes = tuple(map(deconvolved_size, bottom.shape[2:], kernel, stride, padding, dilation))
    windows = made[..., :count].transpose(1, 2)
    top = F.fold(windows, sizes, kernel, dilation, padding, stride)
    return top if bias is None else top + bias


#: GPUs are fast at products of matrices whose rows have a multiple of so many numbers.
_ALIGNED = 8


def _autocast(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as autocast would give it to a product."""
    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor


def _one_map(bottom: torch.Tensor, weight: torch.Tensor, padding: Shape) -> torch.Tensor | None:
    """Return a deconvolution with stride 1 into one channel, or None where no loop can make it.

    Parameters
    ----------
    bottom : (N, C, H, W) tensor
    weight : (C, 1, kernel_h, kernel_w) tensor
    padding : pair of int
    """
    images, channels, height, width = bottom.shape
    rows, columns = weight.shape[2:]
    sizes = height + rows - 1 - 2 * padding[0], width + columns - 1 - 2 * padding[1]
    usable = bottom.dtype in (torch.float32, torch.bfloat16) and channels % 16 == 0
    usable = usable and min(width, sizes[1]) >= 16 and not torch.compiler.is_compiling()
    if not usable or not has_numba():
        return None
    from gcnet_caffe.engine import one_map_loops

    bottom = bottom.contiguous(memory_format=torch.channels_last)
    missing = -rows * columns % one_map_loops.TOGETHER
    taps = F.pad(weight.detach().float().flatten(1), (0, missing)).flatten().numpy()
    top = torch.empty(images, 1, *sizes, dtype=bottom.dtype)
    numbers = channels_last_array(bottom), channels, height, width, taps, rows, columns, padding
    size = channels * height * width
    share(one_map_loops.deconvolve, images, size, *numbers, channels_last_array(top))
    return top


class _OneMap(torch.autograd.Function):
    """Deconvolution with stride 1 into one channel.

    oneDNN computes 16 output channels where one is wanted. Where we have no loop for it, each row
    of the kernel becomes an output channel of a convolution along the rows. The tops, each moved
    down by its row, add up.
    """

    @staticmethod
    def forward(
        ctx: Any, bottom: torch.Tensor, weight: torch.Tensor, padding: Shape, loops: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(bottom, weight)
        ctx.padding = padding
        by_loop = _one_map(_autocast(bottom), weight, padding) if loops else None
        if by_loop is not None:
            return by_loop
        height, (rows, columns) = bottom.shape[2], weight.shape[2:]
        taps = weight[:, 0].permute(1, 0, 2).flip(2).unsqueeze(2)  # rows x C x 1 x columns
        made = F.conv2d(bottom, taps, padding=(0, columns - 1 - padding[1]))
        top = made.new_zeros(len(bottom), 1, height + rows - 1, made.shape[3])
        for row in range(rows):
            top[:, 0, row : row + height] += made[:, row]
        return top[:, :, padding[0] : top.shape[2] - padding[0]].contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        wanted = [*ctx.needs_input_grad[:2], False]
        bottom, weight = ctx.saved_tensors
        found = _gradients(gradient, bottom, weight, None, ctx.padding, True, wanted)
        return *found[:2], None, None


class _FromOneMap(torch.autograd.Function):
    """Convolution with stride 1 of one channel; the gradient of the bottom is a `_one_map`."""

    @staticmethod
    def forward(
        ctx: Any,
        bottom: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        padding: Shape,
    ) -> torch.Tensor:
        ctx.save_for_backward(bottom, weight)
        ctx.padding, ctx.biases = padding, None if bias is None else list(bias.shape)
        return F.conv2d(bottom, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (bottom, weight), padding = ctx.saved_tensors, ctx.padding
        wanted = list(ctx.needs_input_grad[:3])
        by_loop = _one_map(gradient, weight, padding) if wanted[0] else None
        if by_loop is not None:
            wanted[0] = False
        found = _gradients(gradient, bottom, weight, ctx.biases, padding, False, wanted)
        return found[0] if by_loop is None else by_loop, *found[1:], None


def _gradients(
    gradient: torch.Tensor,
    bottom: torch.Tensor,
    weight: torch.Tensor,
    biases: list[int] | None,
    padding: Shape,
    transposed: bool,
    wanted: list[bool],
) -> Any:
    """Return the gradients of bottom, weight and bias of a convolution with stride 1."""
    bottom, weight = (saved.to(gradient.dtype) for saved in (bottom, weight))
    one = (1, 1)
    return torch.ops.aten.convolution_backward(
        gradient, bottom, weight, biases, one, padding, one, transposed, (0, 0), 1, wanted
    )


@register("Convolution")
class Convolution(_Filters):
    """top = weight * bottom + bias; blobs: weight (O, C / group, kernel...), bias (O)."""

    functions = _CONVOLVE
    by_products = staticmethod(convolve_by_products)

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        bottom = bottoms[0]
        if len(bottoms) == 1 and bottom.requires_grad and self._is_of_one_map(bottom):
            top: torch.Tensor = _FromOneMap.apply(bottom, self.blob(0), self.bias, self.padding)
            return top
        return super().forward(*bottoms)


@register("Deconvolution")
class Deconvolution(_Filters):
    """The transpose of a convolution; blobs: weight (C, O / group, kernel...), bias (O)."""

    functions, transposed = _DECONVOLVE, True
    by_products = staticmethod(deconvolve_by_products)

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        # as a decoder's last
        if len(bottoms) == 1 and self._is_of_one_map(bottoms[0]):
            trains = self.phase == TRAIN  # for one picture, compiled code takes longer to load
            top: torch.Tensor = _OneMap.apply(bottoms[0], self.blob(0), self.padding, trains)
            return top if self.bias is None else top + self.bias
        return super().forward(*bottoms)


@register("Im2col")
class Im2col(_Windows):
    """The windows of a convolution: the channels become those of each place of the kernel."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.read_windows(shapes[0])
        self.check_sizes(shapes)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        first = self.channel_axis + 1
        pads = [pad for pad in reversed(self.padding) for _ in range(2)]
        top = F.pad(bottom, pads)
        for axis, (size, step, gap) in enumerate(zip(self.kernel, self.stride, self.dilation)):
            windows = top.unfold(first + axis, gap * (size - 1) + 1, step)
            top = windows[..., ::gap]
        count = len(self.kernel)
        # leading axes, channels, windows..., kernel... -> the kernel's axes beside the channels
        order = [*range(first), *range(first + count, first + 2 * count)]
        top = top.permute(*order, *range(first, first + count))
        sizes = top.shape[first + count :]
        return top.reshape(*bottom.shape[: self.channel_axis], -1, *sizes)
