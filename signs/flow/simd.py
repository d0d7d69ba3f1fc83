"""Rows of pictures as SIMD vectors inside Numba: a loop over x that is compiled as it is written, 16 pixels at a time.

    @row_kernel(("u", "v", "sum"))
    def add(at, factor):
        at.store("sum", at("u") + factor * at("v", dx=-1))

    add((planes,), (y,), width, (np.float32(0.5),))     # in a function compiled by Numba: row y of every plane

LLVM's own vectoriser leaves such loops scalar now and then (docs/flow.md), so the vectors are written down here, as
LLVM's generic ones. Arithmetic is float32 with the freedoms of -ffast-math: the last bits differ from one kind of
machine to another, never from run to run.

`planes` is (planes, rows, stride) float32, of one size for all; column x of the picture is at PAD + x. A kernel works
on whole vectors: it reads and writes up to LANES - 1 columns beyond `width`, so make room with `stride_of`.
"""

import hashlib
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8
PAD = 16  # columns on either side of a picture: a cache line, so that every row starts where one does
ALIGNMENT = 64  # bytes of a cache line
TAPS, CHANNELS = 4, 4  # of a gathered patch, along x and y, and of the picture
FLOAT, INT = ir.FloatType(), ir.IntType(32)
FAST = ("fast",)
# For every function that calls kernels: they go into one another, so they are compiled alike.
COMPILE = {"cache": True, "nogil": True, "error_model": "numpy"}
# Numba's cache on the disc knows a function's own file, not the others that go into it: keep a cache a version.
_SOURCES = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("simd.py", "median5.py", "tvl1.py"))
_CACHE = Path(numba.config.CACHE_DIR or Path(__file__).parent / "__pycache__")
numba.config.CACHE_DIR = str(_CACHE / f"numba-{hashlib.sha256(_SOURCES).hexdigest()[:12]}")


def stride_of(width: int) -> int:
    """Columns of a row: `width` rounded up to whole cache lines, which are whole vectors, and PAD on either side."""
    return -(-width // PAD) * PAD + 2 * PAD


def allocate(*shape: int) -> np.ndarray:
    """Room for float32 that starts where a cache line does; not cleared."""
    size = int(np.prod(shape))
    room = np.empty(size + ALIGNMENT // 4, np.float32)
    start = -room.ctypes.data % ALIGNMENT // 4
    return room[start : start + size].reshape(shape)


class Vector:
    """A vector of float32 while code is being made; its operators add instructions."""

    def __init__(self, builder: ir.IRBuilder, value):
        self.builder, self.value = builder, value

    def constant(self, numbers) -> "Vector":
        numbers = np.broadcast_to(np.float32(numbers), self.lanes)
        return Vector(self.builder, ir.Constant(self.value.type, [ir.Constant(FLOAT, float(n)) for n in numbers]))

    def _lift(self, other):
        return (other if isinstance(other, Vector) else self.constant(other)).value

    def _arithmetic(self, operation: str, left, right) -> "Vector":
        return Vector(self.builder, getattr(self.builder, operation)(left, right, flags=FAST))

    def __add__(self, other):
        return self._arithmetic("fadd", self.value, self._lift(other))

    def __sub__(self, other):
        return self._arithmetic("fsub", self.value, self._lift(other))

    def __rsub__(self, other):
        return self._arithmetic("fsub", self._lift(other), self.value)

    def __mul__(self, other):
        return self._arithmetic("fmul", self.value, self._lift(other))

    def __truediv__(self, other):
        return self._arithmetic("fdiv", self.value, self._lift(other))

    def __rtruediv__(self, other):
        return self._arithmetic("fdiv", self._lift(other), self.value)

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, other):
        return self.builder.fcmp_ordered(">", self.value, self._lift(other))

    def elementwise(self, name: str, *others) -> "Vector":
        """LLVM's intrinsic function of that name, element by element."""
        return Vector(self.builder, self._intrinsic(name, self.value.type, self.value, *map(self._lift, others)))

    def total(self):
        """The sum over the vector, a scalar of the code."""
        return self._intrinsic("vector.reduce.fadd", FLOAT, ir.Constant(FLOAT, 0.0), self.value)

    def _intrinsic(self, name: str, result: ir.Type, *values):
        kind = ir.FunctionType(result, [value.type for value in values])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{self.lanes}f32")
        return self.builder.call(function, values, fastmath=FAST)

    @property
    def lanes(self) -> int:
        return self.value.type.count

    def pick(self, lanes) -> "Vector":
        """The elements with these numbers, as a vector of its own."""
        mask = ir.Constant(ir.VectorType(INT, len(lanes)), [INT(int(lane)) for lane in lanes])
        return Vector(self.builder, self.builder.shuffle_vector(self.value, self.value, mask))

    def join(self, other: "Vector") -> "Vector":
        mask = ir.Constant(ir.VectorType(INT, 2 * self.lanes), [INT(lane) for lane in range(2 * self.lanes)])
        return Vector(self.builder, self.builder.shuffle_vector(self.value, other.value, mask))


def sqrt(value: Vector) -> Vector:
    return value.elementwise("sqrt")


def floor(value: Vector) -> Vector:
    return value.elementwise("floor")


def minimum(one: Vector, other) -> Vector:
    return one.elementwise("minnum", other)


def maximum(one: Vector, other) -> Vector:
    return one.elementwise("maxnum", other)


def where(condition, one: Vector, other) -> Vector:
    return Vector(one.builder, one.builder.select(condition, one.value, one._lift(other)))


def splat(builder: ir.IRBuilder, scalar, lanes: int = LANES) -> Vector:
    """A vector that holds `scalar` everywhere."""
    kind = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(INT, 0))
    return Vector(builder, builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(INT, lanes), None)))


def load_vector(builder: ir.IRBuilder, pointer, lanes: int = LANES) -> Vector:
    """Vector at a pointer to float, which need not be aligned."""
    value = builder.load(builder.bitcast(pointer, ir.VectorType(FLOAT, lanes).as_pointer()))
    value.align = 4
    return Vector(builder, value)


class At:
    """What a kernel sees: the planes around the pixels x .. x + LANES - 1 of its rows; and a picture to gather from."""

    def __init__(self, builder, names, arrays, rows, width):
        self.builder, self.names, self.rows, self.width = builder, names, rows, width
        planes, *self.pictures = arrays
        self.data, (_, self.height, self.stride) = planes.data, cgutils.unpack_tuple(builder, planes.shape)
        self.x = None

    def pointer(self, name: str, dx: int = 0, dy: int = 0, row: int = 0):
        """To column x + dx of the plane `name`, dy below the kernel's row number `row`."""
        builder, whole = self.builder, self.x.type
        plane = builder.mul(whole(self.names.index(name)), self.height)
        line = builder.add(builder.add(plane, self.rows[row]), whole(dy))
        index = builder.add(builder.add(builder.mul(line, self.stride), self.x), whole(PAD + dx))
        return builder.gep(self.data, [index])

    def __call__(self, name: str, dx: int = 0, dy: int = 0, row: int = 0) -> Vector:
        return load_vector(self.builder, self.pointer(name, dx, dy, row))

    def store(self, name: str, vector: Vector, row: int = 0) -> None:
        pointer = self.builder.bitcast(self.pointer(name, row=row), vector.value.type.as_pointer())
        self.builder.store(vector.value, pointer).align = 4

    def columns(self) -> Vector:
        """x, x + 1, ..."""
        start = splat(self.builder, self.builder.sitofp(self.x, FLOAT))
        return start + start.constant(range(LANES))

    def inside(self, vector: Vector) -> Vector:
        """0 in the columns from `width` on."""
        return where(splat(self.builder, self.builder.sitofp(self.width, FLOAT)) > self.columns(), vector, 0.0)

    def gather(self, column: Vector, row: Vector, across, down, names: tuple[str, ...]) -> None:
        """Weighted sums of 4x4 patches of the picture, (rows, columns, 4 channels) float32, one patch a pixel.

        Args:
            column, row: whole numbers, where in the picture a patch begins.
            across, down: four weights each, for its columns and its rows.
            names: the planes that the first channels go to.
        """
        builder = self.builder
        _, columns, _ = cgutils.unpack_tuple(builder, self.pictures[0].shape)
        line = builder.mul(columns, columns.type(CHANNELS))  # floats of a row
        whole = splat(builder, builder.sitofp(columns, FLOAT))
        # Up to 2^24 pixels a float32 counts them exactly.
        first = self._keep(builder.fptosi((row * whole + column).value, ir.VectorType(INT, LANES)))
        across = self._keep(_interleave(across).value)
        down = [self._keep(weight.value) for weight in down]
        with cgutils.for_range(builder, ir.Constant(line.type, LANES)) as loop:
            pixel = builder.sext(builder.load(builder.gep(first, [loop.index])), line.type)
            start = builder.mul(pixel, line.type(CHANNELS))
            total = None
            for step in range(TAPS):
                offset = builder.add(start, builder.mul(line, line.type(step)))
                taps = load_vector(builder, builder.gep(self.pictures[0].data, [offset]), TAPS * CHANNELS)
                weight = splat(builder, builder.load(builder.gep(down[step], [loop.index])), TAPS * CHANNELS)
                total = taps * weight if total is None else total + taps * weight
            index = builder.mul(loop.index, line.type(TAPS))
            weights = load_vector(builder, builder.gep(across, [index]), TAPS)
            total *= weights.pick(np.arange(TAPS * CHANNELS) // CHANNELS)
            while total.lanes > CHANNELS:
                half = total.lanes // 2
                total = total.pick(range(half)) + total.pick(range(half, 2 * half))
            for channel, name in enumerate(names):
                value = builder.extract_element(total.value, INT(channel))
                builder.store(value, builder.gep(self.pointer(name), [loop.index]))

    def _keep(self, value):
        """Put a vector into memory; returns the pointer to its first element."""
        room = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, room)
        return self.builder.bitcast(room, value.type.element.as_pointer())


def _interleave(vectors: list[Vector]) -> Vector:
    """Four vectors -> the first elements of each, the second ones, ..."""
    front, back = vectors[0].join(vectors[1]), vectors[2].join(vectors[3])
    return front.join(back).pick(np.arange(4 * LANES).reshape(4, LANES).T.ravel())


def row_kernel(names: tuple[str, ...]):
    """Decorator: function(at, *scalars) -> a function for code compiled by Numba that runs it along a row.

    The result is called as kernel(arrays, rows, width, scalars): `arrays` is (planes,) or (planes, picture to gather
    from), `rows` a tuple of row numbers (`at(name)` means the first), `scalars` a tuple of float32. It returns the sum
    over the row of what `function` returns, float32; 0 where that is None.
    """

    def decorate(function):
        @intrinsic
        def kernel(typing, arrays, rows, width, scalars):
            def generate(context, builder, signature, arguments):
                arrays = [
                    context.make_array(kind)(context, builder, value)
                    for kind, value in zip(signature.args[0], cgutils.unpack_tuple(builder, arguments[0]), strict=True)
                ]
                rows, width = cgutils.unpack_tuple(builder, arguments[1]), arguments[2]
                numbers = [splat(builder, scalar) for scalar in cgutils.unpack_tuple(builder, arguments[3])]
                at = At(builder, names, arrays, rows, width)
                kind = ir.VectorType(FLOAT, LANES)
                total = cgutils.alloca_once(builder, kind)
                builder.store(ir.Constant(kind, None), total)
                with cgutils.for_range_slice(builder, width.type(0), width, width.type(LANES)) as (at.x, _):
                    result = function(at, *numbers)
                    if result is not None:
                        builder.store((Vector(builder, builder.load(total)) + result).value, total)
                return Vector(builder, builder.load(total)).total()

            return types.float32(arrays, rows, types.intp, scalars), generate

        return kernel

    return decorate
