"""Vectors of 16 numbers for compiled loops, which a processor computes with at once.

Left to itself, LLVM makes no vectors of the loops of a channels-last blob: it cannot know that the
arrays do not overlap. Here each function is one vector instruction, or a few of a processor that
has shorter vectors. What they compute does not depend on the processor.

Kinds of vectors: f (float32), d (float64), i (int32), b (bool). Arrays hold float32, float64,
bfloat16 as int16, or uint8. Arrays are 1-d and contiguous, and indices are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

#: How many numbers a vector has.
WIDTH = 16

_I32, _I16 = ir.IntType(32), ir.IntType(16)
_ELEMENTS = {"f": ir.FloatType(), "d": ir.DoubleType(), "i": _I32, "b": ir.IntType(1)}


class _Vector(types.Type):
    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(name=f"vector of 16 {kind}")


@register_model(_Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: _Vector) -> None:
        element: Any = vector_of(_ELEMENTS[vector.kind])
        super().__init__(manager, vector, element)  # type: ignore[no-untyped-call]


_F, _D, _I, _B = (_Vector(kind) for kind in "fdib")

#: The type of an array's elements -> in memory, and as a vector.
_STORED = {
    types.float32: (ir.FloatType(), _F),
    types.float64: (ir.DoubleType(), _D),
    types.int16: (_I16, _F),
    types.uint8: (ir.IntType(8), _I),
}


def vector_of(element: Any) -> Any:
    """Return the LLVM type of a vector of `element`s."""
    return ir.VectorType(element, WIDTH)


def all_equal(element: Any, value: Any) -> Any:
    """Return the constant of 16 times `value`."""
    return ir.Constant(vector_of(element), [value] * WIDTH)


def _lowered(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what Numba calls for a function whose LLVM values `make` makes of its arguments'."""
    return lambda _context, builder, _signature, values: make(builder, *values)


def _unary(result: Callable[..., Any], make: Callable[..., Any]) -> Any:
    """Return a function of a vector; `result` takes the types of the arguments."""
    return intrinsic(lambda _typing, a: (result(a)(a), _lowered(make)))


def _binary(result: Callable[..., Any], make: Callable[..., Any]) -> Any:
    """Return a function of two vectors."""
    return intrinsic(lambda _typing, a, b: (result(a, b)(a, b), _lowered(make)))


def _ternary(result: Callable[..., Any], make: Callable[..., Any]) -> Any:
    """Return a function of three vectors."""
    return intrinsic(lambda _typing, a, b, c: (result(a, b, c)(a, b, c), _lowered(make)))


def address(context: Any, builder: Any, array: Any, kind: Any, index: Any) -> Any:
    """Return the address of 16 elements of an array, as a pointer to a vector."""
    data = context.make_array(kind)(context, builder, array).data
    pointer = builder.gep(data, [index])
    return builder.bitcast(pointer, vector_of(_STORED[kind.dtype][0]).as_pointer())


@intrinsic
def load(_typing: Any, array: Any, index: Any) -> Any:
    """Return the 16 elements of `array` from `index` on: f, d, or i of uint8."""

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return loaded(context, builder, values[0], array, values[1])

    return _STORED[array.dtype][1](array, types.intp), lower


def loaded(context: Any, builder: Any, array: Any, kind: Any, index: Any) -> Any:
    """Return the value of `load`, of an array's value and type."""
    place = address(context, builder, array, kind, index)
    found = builder.load(place, align=kind.dtype.bitwidth // 8)
    if kind.dtype == types.int16:
        bits = builder.shl(builder.zext(found, vector_of(_I32)), all_equal(_I32, 16))
        return builder.bitcast(bits, vector_of(ir.FloatType()))
    return builder.zext(found, vector_of(_I32)) if kind.dtype == types.uint8 else found


@intrinsic
def spread(_typing: Any, array: Any, index: Any) -> Any:
    """Return 16 times the element of `array` (float32) at `index`: f."""

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        data = context.make_array(array)(context, builder, values[0]).data
        return broadcast(builder, builder.gep(data, [values[1]]))

    return _F(array, types.intp), lower


def broadcast(builder: Any, pointer: Any) -> Any:
    """Return the vector of 16 times the float32 at an address."""
    nothing = ir.Constant(vector_of(ir.FloatType()), ir.Undefined)
    alone = builder.insert_element(nothing, builder.load(pointer), ir.Constant(_I32, 0))
    return builder.shuffle_vector(alone, nothing, all_equal(_I32, 0))


@intrinsic
def turn(_typing: Any, array: Any, index: Any, step: Any, turned: Any, place: Any, row: Any) -> Any:
    """Transpose 16 vectors of `array`, `step` apart from `index` on.

    They become 16 vectors of `turned` (float32), `row` apart from `place` on.
    """

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        array_value, first, apart, to, place_value, row_value = values
        vectors = []
        for number in range(WIDTH):
            at = builder.add(first, builder.mul(apart, ir.Constant(apart.type, number)))
            vectors.append(loaded(context, builder, array_value, array, at))
        for half in (1, 2, 4, 8):
            for number in range(WIDTH):
                if not number & half:
                    pair = vectors[number], vectors[number + half]
                    vectors[number], vectors[number + half] = _exchanged(builder, *pair, half)
        for number, vector in enumerate(vectors):
            at = builder.add(place_value, builder.mul(row_value, ir.Constant(first.type, number)))
            builder.store(vector, address(context, builder, to, turned, at), align=4)
        return context.get_dummy_value()

    given = (array, types.intp, types.intp, turned, types.intp, types.intp)
    return types.void(*given), lower


def _exchanged(builder: Any, a: Any, b: Any, half: int) -> list[Any]:
    """Return a and b after the odd runs of `half` numbers of a and the even ones of b swapped."""
    lanes = [[lane if not lane & half else lane - half + WIDTH for lane in range(WIDTH)]]
    lanes += [[lane + half if not lane & half else lane + WIDTH for lane in range(WIDTH)]]
    return [builder.shuffle_vector(a, b, ir.Constant(vector_of(_I32), order)) for order in lanes]


@intrinsic
def store(_typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to `array` from `index` on; bfloat16 is the nearest, of two the even one."""

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        value = values[2]
        if array.dtype == types.int16:
            value = _bfloat16(builder, value)
        elif array.dtype == types.uint8:
            value = builder.trunc(value, vector_of(ir.IntType(8)))
        place = address(context, builder, values[0], array, values[1])
        builder.store(value, place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), lower


def _bfloat16(builder: Any, value: Any) -> Any:
    bits = builder.bitcast(value, vector_of(_I32))
    odd = builder.and_(builder.lshr(bits, all_equal(_I32, 16)), all_equal(_I32, 1))
    rounded = builder.add(builder.add(bits, odd), all_equal(_I32, 0x7FFF))
    is_nan = builder.fcmp_unordered("uno", value, value)
    rounded = builder.select(is_nan, all_equal(_I32, 0x7FC00000), rounded)
    return builder.trunc(builder.lshr(rounded, all_equal(_I32, 16)), vector_of(_I16))


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return the value of a * b + c, rounded once."""
    kind = "f32" if a.type == vector_of(ir.FloatType()) else "f64"
    signature = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fma.v{WIDTH}{kind}"
    tools: Any = cgutils
    return builder.call(tools.get_or_insert_function(builder.module, signature, name), [a, b, c])


def _zero(vector: Any) -> Any:
    return ir.Constant(vector.type, None)


def _is_greater(builder: Any, a: Any, b: Any) -> Any:
    nan = builder.fcmp_unordered("uno", a, a)
    return builder.or_(builder.fcmp_ordered(">", a, b), nan)


def _rectify(builder: Any, a: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, _zero(a)), _zero(a), a)


add = _binary(lambda a, b: a, lambda builder, a, b: builder.fadd(a, b))
#: a * b + c, rounded once.
multiply_add = _ternary(lambda a, b, c: a, fused)
#: f as d.
widen = _unary(lambda a: _D, lambda builder, a: builder.fpext(a, vector_of(ir.DoubleType())))
#: max(a, 0); what is not a number stays.
rectify = _unary(lambda a: a, _rectify)
is_zero = _unary(lambda a: _B, lambda builder, a: builder.fcmp_ordered("==", a, _zero(a)))
is_positive = _unary(lambda a: _B, lambda builder, a: builder.fcmp_ordered(">", a, _zero(a)))
#: a > b, or a is not a number: PyTorch's rule for max pooling.
is_greater = _binary(lambda a, b: _B, _is_greater)
#: Of i.
equals = _binary(lambda a, b: _B, lambda builder, a, b: builder.icmp_signed("==", a, b))
#: The bits that two i have both.
both = _binary(lambda a, b: a, lambda builder, a, b: builder.and_(a, b))
#: b where a is true, else c.
choose = _ternary(lambda a, b, c: b, lambda builder, a, b, c: builder.select(a, b, c))


@intrinsic(prefer_literal=True)
def whole(_typing: Any, value: Any) -> Any:
    """Return 16 times the literal integer `value`: i."""
    return _I(value), lambda *_: all_equal(_I32, value.literal_value)


@intrinsic
def zeros(_typing: Any) -> Any:
    """Return 16 zeros: f."""
    return _F(), lambda *_: ir.Constant(vector_of(ir.FloatType()), None)
