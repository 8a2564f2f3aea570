"""An interpreter for the PTX that NVRTC emits, independent of the sources and of any C++ compiler.

A register is an array over all threads of a launch; threads that stand at the lowest instruction go first.
An instruction that is not known is an error, never a guess, and so are accesses outside an allocation or off
their alignment, reads of shared memory that nobody wrote, races between two barriers, two threads writing
one byte of global memory, reading through the read-only path what the launch writes, and barriers that not
all threads of a block reach. Sectors of 32 bytes per request to global memory are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Lanes = Any  # slice(None) or an index array
Step = Callable[["Machine", Lanes], None]
Value = Callable[["Machine", Lanes], Any]

_TYPES = {
    "u8": np.uint8, "s8": np.int8, "b8": np.uint8, "u16": np.uint16, "s16": np.int16, "b16": np.uint16,
    "u32": np.uint32, "s32": np.int32, "b32": np.uint32, "f32": np.float32,
    "u64": np.uint64, "s64": np.int64, "b64": np.uint64, "pred": np.bool_,
}  # fmt: skip
#: A device address is the number of its allocation, from 1, above this many bits of offset; that of a parameter is the
#: parameter's number, from 0, above as many.
_SPACE = 40
_TINY = np.float32(np.finfo(np.float32).tiny)


class PtxError(Exception):
    """What the interpreter does not know, or what the kernel may not do."""


def _flush(x: Any) -> Any:
    return np.where(np.abs(x) < _TINY, np.copysign(np.float32(0), x), x)


def _unsigned(dtype: Any) -> Any:
    return np.dtype(f"u{np.dtype(dtype).itemsize}")


def _held(kind: str) -> Any:
    """What a register of this type is kept as: its bits."""
    return np.dtype(np.bool_) if kind == "pred" else _unsigned(_TYPES[kind])


@dataclass
class Program:
    """A kernel's text, taken apart.

    parameters: names of structs. registers: type by name. steps: what each instruction does, or None for those that
    steer (branches, barriers, ends), which are in `control` as (kind, target, predicate, negated).
    """

    name: str
    parameters: list[str]
    registers: dict[str, str]
    texts: list[str] = field(default_factory=list)
    steps: list[Step | None] = field(default_factory=list)
    control: list[tuple[str, str, str, bool] | None] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)


def parse(ptx: str, name: str) -> Program:
    """The entry of that name."""
    ptx = re.sub(r"//[^\n]*", "", ptx.rstrip("\0"))
    found = re.search(rf"\.visible\s+\.entry\s+{name}\s*\((.*?)\)(.*?)\n\{{\n(.*)\n\}}", ptx, re.S)
    if found is None:
        raise PtxError(f"no entry {name}")
    if re.search(r"\.shared(?!\s+\.align\s+\d+\s+\.b8\s+shared\[\])\s+\.align", ptx) or ".local" in ptx:
        raise PtxError("only dynamic shared memory is known here, and no local memory")
    parameters = re.findall(r"\.param\s+\.align\s+\d+\s+\.b8\s+(\w+)\[\d+\]", found[1])
    if len(parameters) != found[1].count(".param"):
        raise PtxError("only structs are known here as parameters")
    registers = {
        f"{prefix}{i}": kind
        for kind, prefix, count in re.findall(r"\.reg\s+\.(\w+)\s+(%\w+)<(\d+)>", found[3])
        for i in range(int(count))
    }
    program = Program(name, parameters, registers)
    body = re.sub(r"^\s*\.(reg|pragma|loc|file)[^\n]*", "", found[3], flags=re.M)
    for statement in re.split(r";|(?<=:)\n", body):
        text = " ".join(statement.split())
        while label := re.match(r"([$\w]+):\s*", text):
            program.labels[label[1]] = len(program.texts)
            text = text[label.end() :]
        if text:
            _add(program, text)
    return program


def _add(program: Program, text: str) -> None:
    found = re.match(r"(?:@(!?)(%\w+)\s+)?([\w.:]+)\s*(.*)$", text)
    if found is None:
        raise PtxError(f"cannot read: {text}")
    negated, predicate = bool(found[1]), found[2] or ""
    kind, *modifiers = found[3].split(".")
    operands = [o.strip() for o in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*", found[4])]
    program.texts.append(text)
    if kind in ("bra", "ret", "bar", "barrier"):
        program.steps.append(None)
        program.control.append((kind[:3], operands[0] if kind == "bra" else "", predicate, negated))
        return
    step = _Maker(program, text).make(kind, modifiers, operands)
    if predicate:
        step = _predicated(step, predicate, negated)
    program.steps.append(step)
    program.control.append(None)


def _predicated(step: Step, predicate: str, negated: bool) -> Step:
    def run(machine: Machine, lanes: Lanes) -> None:
        chosen = machine.registers[predicate][lanes] ^ negated
        some = np.flatnonzero(chosen) if isinstance(lanes, slice) else lanes[chosen]
        if some.size:
            step(machine, some)

    return run


class _Maker:
    """Turns one instruction into a function over the machine."""

    def __init__(self, program: Program, text: str) -> None:
        self.program, self.text = program, text

    def unknown(self) -> PtxError:
        return PtxError(f"unknown instruction: {self.text}")

    def make(self, kind: str, modifiers: list[str], operands: list[str]) -> Step:
        if kind in ("ld", "st"):
            return self.memory(kind, modifiers, operands)
        if kind == "setp":
            return self.compare(modifiers, operands)
        if kind == "cvt":
            return self.convert(modifiers, operands)
        if kind in ("mul", "mad") and modifiers[0] in ("wide", "hi", "lo"):
            return self.multiply(kind, modifiers, operands)
        if kind == "fma":
            raise PtxError(f"fused, which the house rules forbid: {self.text}")
        known = {
            "add", "sub", "mul", "div", "sqrt", "min", "max", "and", "or", "xor", "not", "neg", "abs", "shl", "shr",
            "mov", "cvta", "selp", "prmt", "rcp", "bfi",
        }  # fmt: skip
        rounding = {"rz", "rm", "rp", "approx", "full", "sat", "cc", "wide"}
        if kind not in known or rounding & set(modifiers):
            raise self.unknown()
        return self.arithmetic(kind, modifiers, operands)

    # Operands

    def value(self, operand: str, kind: str) -> Value:
        """An operand as an array of this type."""
        dtype = np.dtype(_TYPES[kind])
        if operand in self.program.registers:
            held = np.dtype(_TYPES[self.program.registers[operand]])
            if held.itemsize == dtype.itemsize:
                return lambda machine, lanes: machine.registers[operand][lanes].view(dtype)
            narrow = _unsigned(dtype)
            if held.itemsize > dtype.itemsize:
                return lambda machine, lanes: machine.registers[operand][lanes].astype(narrow).view(dtype)
            raise self.unknown()
        if operand.startswith("%"):
            return lambda machine, lanes: machine.special[operand][lanes].view(dtype)
        if operand == "shared":
            constant = np.zeros(1, dtype)
        elif operand in self.program.parameters:
            constant = np.array([self.program.parameters.index(operand) << _SPACE], dtype)
        elif operand.startswith("0f"):
            constant = np.array([int(operand[2:], 16)], np.uint32).view(dtype)
        else:
            mask = (1 << 8 * dtype.itemsize) - 1
            constant = np.array([int(operand, 0) & mask], _unsigned(dtype)).view(dtype)
        return lambda machine, lanes: constant

    def put(self, register: str) -> Callable[[Machine, Lanes, Any], None]:
        """Stores a value into a register; narrower ones are extended as their own type says."""
        held = _held(self.program.registers[register])

        def store(machine: Machine, lanes: Lanes, value: Any) -> None:
            if value.dtype.itemsize != held.itemsize:
                wide = np.dtype(f"{'i' if value.dtype.kind == 'i' else 'u'}{held.itemsize}")
                value = (value.view(_unsigned(value.dtype)) if value.dtype.kind == "f" else value).astype(wide)
            machine.registers[register][lanes] = value.view(held)

        return store

    # Arithmetic

    def arithmetic(self, kind: str, modifiers: list[str], operands: list[str]) -> Step:
        held = modifiers[-1]
        if kind == "mov" and "{" in self.text:
            return self.split_or_join(held, operands)
        kind_of = ["u32" if kind in ("shl", "shr") and i == 1 else held for i in range(len(operands) - 1)]
        if kind == "selp":
            kind_of[2] = "pred"
        if kind == "cvta":
            kind_of = ["u64"]
        values = [self.value(o, k) for o, k in zip(operands[1:], kind_of, strict=True)]
        put, operation = (
            self.put(operands[0]),
            _OPERATIONS.get((kind, held == "pred")) or _OPERATIONS.get((kind, False)),
        )
        if operation is None:
            raise self.unknown()
        flush, relu = "ftz" in modifiers, "relu" in modifiers

        def run(machine: Machine, lanes: Lanes) -> None:
            given = [v(machine, lanes) for v in values]
            made = operation(*([_flush(g) for g in given] if flush else given))
            if relu:
                made = np.maximum(made, 0)
            put(machine, lanes, _flush(made) if flush else made)

        return run

    def split_or_join(self, held: str, operands: list[str]) -> Step:
        """mov between a register and a pair of registers half as wide, the lower half first."""
        to, source = operands
        part = {"b32": "u16", "b64": "u32"}[held]
        whole_type, part_type = np.dtype(_TYPES[held]).type, np.dtype(_TYPES[part])
        bits = whole_type(8 * part_type.itemsize)
        if to.startswith("{"):
            names = [p.strip() for p in to[1:-1].split(",")]
            value, puts = self.value(source, held), [None if n == "_" else self.put(n) for n in names]

            def split(machine: Machine, lanes: Lanes) -> None:
                whole = value(machine, lanes)
                for half, put in zip((whole, whole >> bits), puts, strict=True):
                    if put is not None:
                        put(machine, lanes, half.astype(part_type))

            return split
        low, high = (self.value(p.strip(), part) for p in source[1:-1].split(","))
        put = self.put(to)

        def join(machine: Machine, lanes: Lanes) -> None:
            halves = [v(machine, lanes).astype(whole_type) for v in (low, high)]
            put(machine, lanes, halves[0] | halves[1] << bits)

        return join

    def multiply(self, kind: str, modifiers: list[str], operands: list[str]) -> Step:
        how, held = modifiers[0], modifiers[-1]
        dtype = np.dtype(_TYPES[held])
        if how != "lo" and dtype.itemsize > 4:
            raise self.unknown()
        wide = np.dtype(f"{dtype.kind}{2 * dtype.itemsize}") if how != "lo" else dtype
        first, second = (self.value(o, held) for o in operands[1:3])
        third_kind = next(k for k, t in _TYPES.items() if np.dtype(t) == (wide if how == "wide" else dtype))
        third = self.value(operands[3], third_kind) if kind == "mad" else None
        put, bits = self.put(operands[0]), 8 * dtype.itemsize

        def run(machine: Machine, lanes: Lanes) -> None:
            made = first(machine, lanes).astype(wide) * second(machine, lanes).astype(wide)
            if how == "hi":
                made = (made >> wide.type(bits)).astype(dtype)
            put(machine, lanes, made if third is None else made + third(machine, lanes))

        return run

    def compare(self, modifiers: list[str], operands: list[str]) -> Step:
        how, held = modifiers[0], modifiers[-1]
        if len([m for m in modifiers if m != "ftz"]) != 2 or how in ("num", "nan"):
            raise self.unknown()
        first, second = (self.value(o, held) for o in operands[1:])
        unordered = held == "f32" and (how in ("ltu", "leu", "gtu", "geu", "equ", "neu"))
        operation = _COMPARISONS[how[:2]]
        flush, put, ordered_only = "ftz" in modifiers, self.put(operands[0]), held == "f32" and how == "ne"

        def run(machine: Machine, lanes: Lanes) -> None:
            a, b = first(machine, lanes), second(machine, lanes)
            if flush:
                a, b = _flush(a), _flush(b)
            made = operation(a, b)
            if unordered:
                made = made | np.isnan(a) | np.isnan(b)
            if ordered_only:
                made = made & ~(np.isnan(a) | np.isnan(b))
            put(machine, lanes, made)

        return run

    def convert(self, modifiers: list[str], operands: list[str]) -> Step:
        to, source = np.dtype(_TYPES[modifiers[-2]]), np.dtype(_TYPES[modifiers[-1]])
        rounding = [m for m in modifiers[:-2] if m != "ftz"]
        value, put, flush = self.value(operands[1], modifiers[-1]), self.put(operands[0]), "ftz" in modifiers
        shape = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}.get(rounding[0] if rounding else "")
        if len(rounding) > 1 or (rounding and shape is None and rounding != ["rn"]):
            raise self.unknown()

        def run(machine: Machine, lanes: Lanes) -> None:
            given = value(machine, lanes)
            if source.kind == "f":
                given = _flush(given) if flush else given
                given = shape(given) if shape else given
                if to.kind != "f":
                    ends = np.iinfo(to)
                    given = np.clip(np.where(np.isnan(given), 0, given).astype(np.float64), ends.min, ends.max)
                    given = given.astype(np.int64)
            put(machine, lanes, given.astype(to))

        return run

    # Memory

    def memory(self, kind: str, modifiers: list[str], operands: list[str]) -> Step:
        space, held = modifiers[0], modifiers[-1]
        count = {"v2": 2, "v4": 4}.get(next((m for m in modifiers if m in ("v2", "v4")), ""), 1)
        if set(modifiers[1:-1]) - {"nc", "v2", "v4"} or space not in ("param", "global", "shared"):
            raise self.unknown()
        dtype = np.dtype(_TYPES[held])
        here, there = (operands[0], operands[1]) if kind == "ld" else (operands[1], operands[0])
        names = [p.strip() for p in here.strip("{}").split(",")]
        if space == "param":
            found, puts_each = self.address(there, "u64"), [self.put(n) for n in names]
            width = count * dtype.itemsize

            def load_parameter(machine: Machine, lanes: Lanes) -> None:
                at = found(machine, lanes)
                if (at == at[0]).all():
                    at = at[:1]
                told = machine.parameters[self.program.parameters[int(at[0]) >> _SPACE]][
                    (at & ((1 << _SPACE) - 1))[:, None] + np.arange(width)
                ].view(dtype)
                for i, put in enumerate(puts_each):
                    put(machine, lanes, told[:, i])

            return load_parameter
        address = self.address(there, "u64" if space == "global" else "u32")
        text, read_only = self.text, "nc" in modifiers
        if kind == "ld":
            puts_all = [self.put(n) for n in names]

            def load(machine: Machine, lanes: Lanes) -> None:
                at = address(machine, lanes)
                read = machine.read_global if space == "global" else machine.read_shared
                made = read(at, dtype, count, lanes, text, read_only)
                for i, put in enumerate(puts_all):
                    put(machine, lanes, made[:, i])

            return load
        values = [self.value(n, held) for n in names]

        def store(machine: Machine, lanes: Lanes) -> None:
            at = address(machine, lanes)
            given = np.stack([np.broadcast_to(v(machine, lanes), at.shape) for v in values], axis=1)
            write = machine.write_global if space == "global" else machine.write_shared
            write(at, np.ascontiguousarray(given), lanes, text)

        return store

    def address(self, operand: str, kind: str) -> Value:
        found = re.match(r"\[\s*([%\w$]+)\s*(?:\+\s*(-?\d+))?\s*\]$", operand)
        if found is None:
            raise self.unknown()
        base, offset = self.value(found[1], kind), int(found[2] or 0)
        mask = (1 << 32) - 1 if kind == "u32" else -1

        def where(machine: Machine, lanes: Lanes) -> Any:
            at = (base(machine, lanes).astype(np.int64) + offset) & mask
            return np.broadcast_to(at, machine.count if isinstance(lanes, slice) else lanes.size)

        return where


def _shift_left(a: Any, by: Any) -> Any:
    bits = 8 * a.dtype.itemsize
    return np.where(by >= bits, a.dtype.type(0), a << np.minimum(by, bits - 1).astype(a.dtype))


def _shift_right(a: Any, by: Any) -> Any:
    bits = 8 * a.dtype.itemsize
    made = a >> np.minimum(by, bits - 1).astype(a.dtype)
    return made if a.dtype.kind == "i" else np.where(by >= bits, a.dtype.type(0), made)


def _divide(a: Any, b: Any) -> Any:
    if a.dtype.kind != "f":
        raise PtxError("integer division is not known here")
    return a / b


def _permute(a: Any, b: Any, selector: Any) -> Any:
    pair = a.astype(np.uint64) | b.astype(np.uint64) << np.uint64(32)
    made = np.zeros(1, np.uint64)
    for i in range(4):
        choice = (selector.astype(np.uint64) >> np.uint64(4 * i)) & np.uint64(15)
        byte = (pair >> ((choice & np.uint64(7)) * np.uint64(8))) & np.uint64(255)
        byte = np.where(choice & np.uint64(8), np.where(byte & np.uint64(128), 255, 0).astype(np.uint64), byte)
        made = made | byte << np.uint64(8 * i)
    return made.astype(np.uint32)


def _insert_bits(a: Any, b: Any, position: Any, length: Any) -> Any:
    """`b` with `length` bits (below 32) from `position` on replaced by the lowest of `a`; all 32-bit."""
    one = np.uint32(1)
    mask = ((one << length) - one) << position
    return (b & ~mask) | ((a << position) & mask)


#: By (instruction, whether on predicates).
_OPERATIONS: dict[tuple[str, bool], Callable[..., Any]] = {
    ("add", False): np.add, ("sub", False): np.subtract, ("mul", False): np.multiply, ("div", False): _divide,
    ("sqrt", False): np.sqrt, ("rcp", False): lambda a: np.float32(1) / a,
    ("and", False): np.bitwise_and, ("or", False): np.bitwise_or,
    ("xor", False): np.bitwise_xor, ("not", False): np.invert, ("not", True): np.logical_not,
    ("neg", False): np.negative, ("abs", False): np.abs, ("shl", False): _shift_left, ("shr", False): _shift_right,
    ("mov", False): lambda a: a, ("cvta", False): lambda a: a, ("prmt", False): _permute,
    # As the hardware: of a number and no number, the number.
    ("min", False): lambda a, b: np.fmin(a, b) if a.dtype.kind == "f" else np.minimum(a, b),
    ("max", False): lambda a, b: np.fmax(a, b) if a.dtype.kind == "f" else np.maximum(a, b),
    ("selp", False): lambda a, b, chosen: np.where(chosen, a, b), ("bfi", False): _insert_bits,
}  # fmt: skip
_COMPARISONS = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip


class Machine:
    """One launch: all its threads' registers, its blocks' shared memory, and what was noticed."""

    def __init__(
        self, program: Program, blocks: tuple[int, int, int], threads: tuple[int, int, int], arguments: Sequence[Any],
        shared: int, requests: Counter[str],
    ) -> None:  # fmt: skip
        self.program, self.requests = program, requests
        self.per_block = threads[0] * threads[1] * threads[2]
        total = blocks[0] * blocks[1] * blocks[2]
        self.count = total * self.per_block
        lane = np.arange(self.count)
        self.thread, self.block = (lane % self.per_block).astype(np.int32), lane // self.per_block
        self.lane = lane.astype(np.int32)
        self.special = {}
        for name, index, size in (("tid", self.thread, threads), ("ctaid", self.block, blocks)):
            parts = (index % size[0], index // size[0] % size[1], index // size[0] // size[1])
            self.special |= {f"%{name}.{a}": p.astype(np.uint32) for a, p in zip("xyz", parts, strict=True)}
        self.registers = {name: np.zeros(self.count, _held(kind)) for name, kind in program.registers.items()}
        self.allocations: list[Any] = []
        self.writers: list[Any] = []
        self.parameters = {
            name: self._struct(argument) for argument, name in zip(arguments, program.parameters, strict=True)
        }
        self.shared = np.zeros((total, shared), np.uint8)
        self.written = np.zeros((total, shared), np.bool_)
        self.shared_writer = np.full((total, shared), -1, np.int32)
        self.shared_reader = np.full((total, shared), -1, np.int32)

    def _struct(self, argument: Any) -> Any:
        """The bytes of a struct, its addresses as they are here."""
        told = np.frombuffer(argument.data, np.uint8).copy()
        for at, pointer in argument.pointers.items():
            told[at : at + 8] = np.array([self._address(pointer)], np.uint64).view(np.uint8)
        return told

    def _address(self, pointer: Any) -> int:
        for number, known in enumerate(self.allocations, start=1):
            if known is pointer.allocation:
                return int((number << _SPACE) + pointer.offset)
        self.allocations.append(pointer.allocation)
        self.writers.append(np.full(pointer.allocation.size, -1, np.int32))
        return int((len(self.allocations) << _SPACE) + pointer.offset)

    def run(self) -> None:
        """Run every thread to its end."""
        program, end = self.program, len(self.program.texts)
        targets = set(program.labels.values())
        at = np.zeros(self.count, np.int32)
        waits = np.zeros(self.count, np.bool_)
        while True:
            ready = (at < end) & ~waits
            if not ready.any():
                if not waits.any():
                    return
                self._meet(at, waits)
                waits[:] = False
                continue
            here = int(at[ready].min())
            mine = ready & (at == here)
            lanes: Lanes = slice(None) if mine.all() else np.flatnonzero(mine)
            others = at[ready & ~mine]
            stop = int(others.min()) if others.size else end
            while True:
                control = program.control[here]
                if control is not None:
                    kind, target, predicate, negated = control
                    if kind == "bra":
                        goal = program.labels[target]
                        taken = self.registers[predicate][lanes] ^ negated if predicate else True
                        at[lanes] = np.where(taken, goal, here + 1)
                    elif kind == "bar" and not predicate:
                        at[lanes] = here + 1
                        waits[lanes] = True
                    elif kind == "ret" and not predicate:
                        at[lanes] = end
                    else:
                        raise PtxError(f"unknown instruction: {program.texts[here]}")
                    break
                step = program.steps[here]
                assert step is not None
                step(self, lanes)
                here += 1
                if here in (stop, end) or here in targets:
                    at[lanes] = here
                    break

    def _meet(self, at: Any, waits: Any) -> None:
        """A barrier: every thread of a block that waits must be there, at the same one."""
        places, waiting = at.reshape(-1, self.per_block), waits.reshape(-1, self.per_block)
        some = waiting.any(axis=1)
        if (some & ~waiting.all(axis=1)).any():
            raise PtxError("threads left before a barrier that others wait at")
        if (places[some] != places[some][:, :1]).any():
            raise PtxError("threads of a block wait at different barriers")
        self.shared_writer[:] = -1
        self.shared_reader[:] = -1

    # Global memory

    def _global(self, at: Any, nbytes: int, lanes: Lanes, text: str, way: str) -> Any:
        number, offset = at >> _SPACE, at & ((1 << _SPACE) - 1)
        if (at % nbytes).any():
            raise PtxError(f"misaligned: {text}")
        first = int(number[0])
        if (number != first).any() or not 0 < first <= len(self.allocations):
            raise PtxError(f"an address in no allocation: {text}")
        if (offset + nbytes > self.allocations[first - 1].size).any():
            raise PtxError(f"out of bounds: {text}")
        warp = self.lane[lanes].astype(np.int64) // 32
        sectors = np.unique(warp << 40 | offset >> 5)
        if nbytes > 1:
            self.requests[f"{way}{nbytes} sectors"] += sectors.size
            self.requests[f"{way}{nbytes} least"] += int(
                np.sum(-(-np.unique(warp, return_counts=True)[1] * nbytes // 32))
            )
        return first - 1, offset

    def read_global(self, at: Any, dtype: Any, count: int, lanes: Lanes, text: str, read_only: bool) -> Any:
        nbytes = dtype.itemsize * count
        number, offset = self._global(at, nbytes, lanes, text, "ld")
        spots = offset[:, None] + np.arange(nbytes)
        writer = self.writers[number][spots]
        if ((writer >= 0) & (read_only | (writer != self.lane[lanes][:, None]))).any():
            raise PtxError(f"reads what another thread of the launch writes: {text}")
        return np.ascontiguousarray(self.allocations[number][spots]).view(dtype)

    def write_global(self, at: Any, values: Any, lanes: Lanes, text: str) -> None:
        nbytes = values.dtype.itemsize * values.shape[1]
        number, offset = self._global(at, nbytes, lanes, text, "st")
        spots = offset[:, None] + np.arange(nbytes)
        writer, me = self.writers[number], np.broadcast_to(self.lane[lanes][:, None], spots.shape)
        before = writer[spots]
        writer[spots] = me
        if ((before >= 0) & (before != me)).any() or (writer[spots] != me).any():
            raise PtxError(f"two threads write one byte: {text}")
        self.allocations[number][spots] = values.view(np.uint8)

    # Shared memory

    def _shared(self, at: Any, nbytes: int, lanes: Lanes, text: str) -> tuple[Any, Any, Any]:
        if (at % nbytes).any():
            raise PtxError(f"misaligned in shared memory: {text}")
        if (at < 0).any() or (at + nbytes > self.shared.shape[1]).any():
            raise PtxError(f"out of bounds of shared memory: {text}")
        spots = at[:, None] + np.arange(nbytes)
        block = np.broadcast_to(self.block[lanes][:, None], spots.shape)
        return block, spots, np.broadcast_to(self.thread[lanes][:, None], spots.shape)

    def read_shared(self, at: Any, dtype: Any, count: int, lanes: Lanes, text: str, read_only: bool) -> Any:
        block, spots, me = self._shared(at, dtype.itemsize * count, lanes, text)
        if not self.written[block, spots].all():
            raise PtxError(f"reads shared memory that nobody wrote: {text}")
        writer = self.shared_writer[block, spots]
        if ((writer >= 0) & (writer != me)).any():
            raise PtxError(f"race: reads what another thread wrote, and no barrier between: {text}")
        reader = self.shared_reader[block, spots]
        self.shared_reader[block, spots] = np.where((reader == -1) | (reader == me), me, -2)
        shared = self.shared_reader[block, spots] != me
        self.shared_reader[block[shared], spots[shared]] = -2
        return np.ascontiguousarray(self.shared[block, spots]).view(dtype)

    def write_shared(self, at: Any, values: Any, lanes: Lanes, text: str) -> None:
        block, spots, me = self._shared(at, values.dtype.itemsize * values.shape[1], lanes, text)
        writer, reader = self.shared_writer[block, spots], self.shared_reader[block, spots]
        self.shared_writer[block, spots] = me
        if ((writer >= 0) & (writer != me)).any() or (self.shared_writer[block, spots] != me).any():
            raise PtxError(f"race: two threads write one byte of shared memory: {text}")
        if ((reader != -1) & (reader != me)).any():
            raise PtxError(f"race: writes what another thread read, and no barrier between: {text}")
        self.written[block, spots] = True
        self.shared[block, spots] = values.view(np.uint8)


class PtxKernel:
    """A kernel of a PTX text, to be launched on numpy memory; `requests` counts its sectors.

    source: what the PTX was made of: code, name, options.
    """

    def __init__(self, ptx: str, source: tuple[str, str, tuple[str, ...]]) -> None:
        self.program, self.source = parse(ptx, source[1]), source
        self.requests: Counter[str] = Counter()

    def __call__(self, blocks: Sequence[int], threads: Sequence[int], arguments: Sequence[Any], shared: int) -> None:
        sizes = [(*size, 1, 1)[:3] for size in (blocks, threads)]
        with np.errstate(all="ignore"):
            Machine(self.program, sizes[0], sizes[1], arguments, shared, self.requests).run()
