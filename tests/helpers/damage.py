"""Model files with something wrong in them: each is refused in a sentence, or it is a whole network.

A mutant is a file with some of its bytes changed. Where its checksum was computed anew, what lies behind the
checksum is met too: wrong types, shapes and numbers in a file that looks whole.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import pathlib
import re
import signal
import sys
import time

import numpy as np

import elman
from elman import Adam, Dense, DivergenceError, MeanPool, Network, SimpleRNN
from elman.estimators import files

X = np.random.default_rng(0).normal(size=(5, 4, 2))
Y = np.arange(5) % 3
ROOM = 2**29  # bytes that a load may take beyond what the process has

NASTY = [
    None,
    True,
    False,
    [],
    [[]],
    [0],
    ["0.bias"],
    ["loss"],
    [None],
    {},
    {"x": 1},
    {"layer": "Dense"},
    {"schedule": "OneCycle"},
    "",
    "x",
    "0",
    "float64",
    "float32",
    "relu",
    "softmax",
    "network",
    "RNNTagger",
    "\u0000",
    "\ud800",
    "é" * 50,
    "a" * 10_000,
    0,
    1,
    2,
    3,
    -1,
    7,
    2**20,
    2**31,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    -(2**63),
    0.0,
    0.5,
    1.0,
    -1.5,
    1e308,
    1e-320,
    math.nan,
    math.inf,
    -math.inf,
]


# ------------------------------------------------------------------------------------------------ the parts


def parts(content):
    """The header as a table and the bytes of the arrays."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def whole(header, data):
    """A file of a header (a table, or the text of one) and the bytes of the arrays."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def sealed(content):
    """The same with its checksum computed anew, where it still has one."""
    length = int.from_bytes(content[:8], "little")
    place = re.compile(rb'"elman_checksum":\s?"([0-9a-f]{64})"').search(content, 8, min(8 + length, 10**9))
    if place is None:
        return content
    begin, end = place.span(1)
    empty = content[:begin] + b"0" * 64 + content[end:]
    return content[:begin] + hashlib.sha256(empty).hexdigest().encode() + content[end:]


def respecified(content, change):
    """The file with its spec changed; ``change`` gets the spec, and gives a new one or its text."""
    header, data = parts(content)
    spec = change(json.loads(header["__metadata__"]["elman_spec"]))
    header["__metadata__"]["elman_spec"] = spec if isinstance(spec, str) else json.dumps(spec)
    return sealed(whole(header, data))


def places(value, path=()):
    """Every place in a nest of tables and lists."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


# ---------------------------------------------------------------------------------------------- the mutants


def one(rng, things):
    return things[int(rng.integers(len(things)))]


def flipped_bits(content, rng):
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def changed_header_byte(content, rng):
    changed = bytearray(content)
    changed[int(rng.integers(8 + int.from_bytes(content[:8], "little")))] = int(rng.integers(256))
    return bytes(changed)


def cut(content, rng):
    return content[: int(rng.integers(len(content)))]


def lengthened(content, rng):
    return content + rng.bytes(int(rng.integers(1, 100)))


def swapped(content, rng):
    a, b = (int(rng.integers(len(content))) for _ in range(2))
    size = int(rng.integers(1, 200))
    changed = bytearray(content)
    changed[a : a + size], changed[b : b + size] = content[b : b + size], content[a : a + size]
    return bytes(changed)


def zeroed(content, rng):
    begin = int(rng.integers(len(content)))
    size = int(rng.integers(1, 300))
    return content[:begin] + bytes(len(content[begin : begin + size])) + content[begin + size :]


def huge_length(content, rng):
    length = one(rng, [2**63, 2**64 - 1, 2**40, len(content) - 8, len(content) - 7, 0, 1, 2, 10**8])
    return length.to_bytes(8, "little") + content[8:]


def noise(_, rng):
    return rng.bytes(int(rng.integers(0, 300)))


def changed_header_number(content, rng):
    length = int.from_bytes(content[:8], "little")
    text = content[8 : 8 + length]
    found = one(rng, list(re.finditer(rb"\d+", text)))
    new = one(rng, [b"0", b"1", b"-1", b"9" * 20, b"1e400", b"4294967296", b"7", b'"7"', b"9" * 10**4])
    return sealed(whole(text[: found.start()] + new + text[found.end() :], content[8 + length :]))


def changed_tensor(content, rng):
    header, data = parts(content)
    name = one(rng, [key for key in header if key != "__metadata__"])
    entry = header[name]
    kind, shape, (begin, end) = int(rng.integers(6)), entry["shape"], entry["data_offsets"]
    if kind == 0:
        dtypes = ["F16", "BF16", "F32", "F64", "I64", "I8", "U8", "BOOL", "F8_E4M3", "C64", "x"]
        entry["dtype"] = one(rng, [*dtypes, 3])
    elif kind == 1:
        shapes = [[], [0], [1], [-1], [2**62], [2**32, 2**32], shape[::-1], [1, *shape], "x", None]
        entry["shape"] = one(rng, shapes)
    elif kind == 2:
        ranges = [[end, begin], [-8, end], [begin, 2**62], [begin + 1, end], [0, 0], [], None]
        entry["data_offsets"] = one(rng, ranges)
    elif kind == 3:
        header[one(rng, ["parameters", "x", "history.loss", "moment.0", "carry.0", ""])] = header.pop(name)
    elif kind == 4:  # gone, its bytes too
        del header[name]
        data = data[:begin] + data[end:]
        for other in header.values():
            if "data_offsets" in other and other["data_offsets"][0] >= end:
                other["data_offsets"] = [at - (end - begin) for at in other["data_offsets"]]
    else:  # one more
        header["more"] = {"dtype": "U8", "shape": [8], "data_offsets": [len(data), len(data) + 8]}
        data += rng.bytes(8)
    return sealed(whole(header, data))


def changed_values(content, rng):
    header, data = parts(content)
    entry = one(rng, [value for key, value in header.items() if key != "__metadata__"])
    begin, end = entry["data_offsets"]
    kind = {"F32": np.float32, "F64": np.float64}.get(entry["dtype"], np.uint8)
    values = np.frombuffer(data[begin:end], kind).copy()
    if values.size:
        value = one(rng, [math.nan, math.inf, -1e30, 1e308, 0.0, 1.0])
        with np.errstate(all="ignore"):
            values[rng.integers(values.size, size=int(rng.integers(1, 4)))] = np.array(value).astype(kind)
    return sealed(whole(header, data[:begin] + values.tobytes() + data[end:]))


def resealed_bytes(content, rng):
    return sealed(one(rng, [flipped_bits, changed_header_byte, swapped, zeroed, lengthened])(content, rng))


def changed_spec(content, rng):
    def change(spec):
        for _ in range(int(rng.integers(1, 3))):
            path = one(rng, list(places(spec)))
            if not path:
                return copy.deepcopy(one(rng, NASTY)) if rng.random() < 0.3 else spec
            inside = spec
            for key in path[:-1]:
                inside = inside[key]
            kind = rng.random()
            if kind < 0.15 and isinstance(inside, dict):
                del inside[path[-1]]
            elif kind < 0.25 and isinstance(inside, dict):
                inside[one(rng, ["x", "units", "kind", "__class__", ""])] = inside.pop(path[-1])
            elif kind < 0.35 and isinstance(inside[path[-1]], list):
                inside[path[-1]] *= int(rng.integers(0, 4))
            else:
                inside[path[-1]] = copy.deepcopy(one(rng, NASTY))
        return spec

    return respecified(content, change)


def changed_spec_text(content, rng):
    def change(spec):
        text = json.dumps(spec)
        deep = 10 ** int(rng.integers(1, 6))
        return one(
            rng,
            [
                "[" * deep + "]" * deep,
                '{"a":' * deep + "1" + "}" * deep,
                text[:-1] + ', "layers": ' + "[" * deep + "]" * deep + "}",
                text[:-1] + ', "seed": ' + "9" * deep + "}",
                text[:-1] + ', "seed": 5, "seed": 6, "epoch": 2}',
                text[:-1] + ', "epoch": 1e999}',
                text[:-1] + ', "epoch": NaN}',
                text[:-1] + ', "history": [' + '"loss",' * 1000 + '"accuracy"]}',
                text[:-1] + ', "layers": [' + '{"layer": "MeanPool"},' * 1000 + '{"layer": "MeanPool"}]}',
                text[:-1]
                + ', "layers": ['
                + '{"layer": "Dense", "units": 1},' * 999
                + '{"layer": "Dense"}]}',
                "",
                "null",
                "3",
                "{}",
                "[]",
                '"network"',
                text[: int(rng.integers(len(text)))],
            ],
        )

    return respecified(content, change)


def changed_metadata(content, rng):
    header, data = parts(content)
    meta = header["__metadata__"]
    kind = int(rng.integers(5))
    name = one(rng, list(meta))
    if kind == 0:
        del meta[name]
    elif kind == 1:
        meta[name] = one(rng, [3, None, "", "2", "-1", "1.0", [], {}, "0" * 64, "x" * 10**5])
    elif kind == 2:
        header["__metadata__"] = one(rng, [None, [], "x", {}])
    elif kind == 3:
        deep = 10 ** int(rng.integers(1, 5))
        text = json.dumps(header)[:-1] + ', "deep": ' + "[" * deep + "]" * deep + "}"
        return sealed(whole(text.encode(), data))
    else:  # every key twice
        text = json.dumps(header)
        return sealed(whole((text[:-1] + ", " + text[1:]).encode(), data))
    return sealed(whole(header, data))


RAW = [flipped_bits, changed_header_byte, cut, lengthened, swapped, zeroed, huge_length, noise]
SEALED = [
    changed_header_number,
    changed_tensor,
    changed_values,
    resealed_bytes,
    changed_spec,
    changed_spec,
    changed_spec,
    changed_spec_text,
    changed_metadata,
]


# ------------------------------------------------------------------------------------------------- the test


def stack():
    return [SimpleRNN(3, return_sequences=True), MeanPool(), Dense(3, "softmax")]


OPTIONS = {"stateful": True, "optimizer": Adam(0.01), "validation_data": (X[:2], Y[:2]), "verbose": False}


def originals(folder):
    """Files to be damaged: networks of both dtypes that have been saved, and a checkpoint."""
    made = []
    for dtype in ("float32", "float64"):
        net = Network(stack(), 2, dtype=dtype, seed=2**40 + 1)
        net.freeze("0.bias")
        net.fit(X, Y, epochs=2, optimizer=elman.SGD(elman.CosineDecay(0.1, 9), momentum=0.5), verbose=False)
        net.save(folder / "model")
        made.append(((folder / "model").read_bytes(), False))
    net = Network(stack(), 2, seed=0)
    net.fit(X, Y, epochs=2, checkpoint=folder / "model", **OPTIONS)
    made.append(((folder / "model").read_bytes(), True))
    common = {"max_iter": 3, "tol": 10.0, "random_state": 0, "dtype": "float32"}
    steps = [[0.5, np.nan, 1.0, 2.0]] * 5
    for estimator, y in (
        (elman.RNNClassifier((3, 2), class_weight={"a": 1.0, "b": 2.0}, **common), ["a", "b", "a", "b", "c"]),
        (elman.RNNRegressor(3, return_sequences=True, **common), steps),
        (elman.RNNTagger(3, missing_label=float("nan"), **common), steps),
    ):
        estimator.fit(X, y).save(folder / "model")
        made.append(((folder / "model").read_bytes(), False))
    return made


def _answer(net):
    """The outputs, or that they are no numbers: a mutant's weights may be anything."""
    try:
        return net.predict(X).tobytes()
    except elman.errors.NonFiniteError as error:
        return str(error)


def facts(net):
    """What a network or an estimator is and knows, for comparison."""
    if not isinstance(net, Network):
        spec, arrays = files.pack(net)
        own = json.dumps(spec["estimator"], sort_keys=True)
        return (type(net), own, [(n, a.tobytes()) for n, a in sorted(arrays.items())], facts(net.network_))
    return (net.layers, net.dtype, net.seed, net.frozen, net.parameters.tobytes(), _answer(net))


def refused(path, call):
    """What a call gives, or None where it is refused in a sentence that names the file."""
    try:
        return call()
    except ValueError as error:
        if str(path) in str(error):
            return None
        raise


def met(path, original, resumed, is_sealed):
    """Load a mutant, and resume from it; returns what happened."""
    net = refused(path, lambda: elman.load(path))
    outcome = "refused"
    if net is not None:
        outcome = "same" if facts(net) == original else "other"
        net.save(path.with_name("again"))
        assert facts(elman.load(path.with_name("again"))) == facts(net)
    assert is_sealed or outcome != "other", "a damaged file gave another network"
    if resumed is not None:
        fresh = Network(stack(), 2, seed=0)
        try:
            done = refused(path, lambda: fresh.fit(X, Y, epochs=3, checkpoint=path, resume=True, **OPTIONS))
            outcome += ", not resumed" if done is None else ", resumed"
            assert done is not None or facts(fresh) == facts(Network(stack(), 2, seed=0)), "it has changed"
            assert done is None or is_sealed or fresh.parameters.tobytes() == resumed
        except DivergenceError:  # of numbers that are too large
            assert is_sealed
            outcome += ", diverged"
    return outcome


def memory():
    """The most bytes that this process ever had."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def drive(seed, count, folder):
    """Meet so many mutants, each within its time; prints how many were refused and why not."""
    rng, folder = np.random.default_rng(seed), pathlib.Path(folder)
    undamaged = originals(folder)
    path = folder / "mutant.elman"
    known = []
    for content, is_checkpoint in undamaged:
        path.write_bytes(content)
        resumed = None
        known.append(facts(elman.load(path)))
        if is_checkpoint:
            net = Network(stack(), 2, seed=0)
            net.fit(X, Y, epochs=3, checkpoint=path, resume=True, **OPTIONS)
            resumed = net.parameters.tobytes()
    if sys.platform == "linux":
        import resource

        size = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))
    outcomes, slowest, before = {}, 0.0, memory()
    for i in range(count):
        which = int(rng.integers(len(undamaged)))
        content, is_checkpoint = undamaged[which]
        is_sealed = rng.random() < 0.6
        mutate = one(rng, SEALED if is_sealed else RAW)
        mutant = mutate(content, rng)
        path.write_bytes(mutant)
        start = time.monotonic()
        if hasattr(signal, "alarm"):
            signal.alarm(20)  # whose signal ends the process
        try:
            outcome = met(path, known[which], resumed if is_checkpoint else None, is_sealed)
        except BaseException:
            print(f"mutant {i} of seed {seed}: {mutate.__name__} of file {which}", file=sys.stderr)
            (folder / "bad.elman").write_bytes(mutant)
            raise
        slowest = max(slowest, time.monotonic() - start)
        key = f"{'sealed' if is_sealed else 'raw'}: {outcome}"
        outcomes[key] = outcomes.get(key, 0) + 1
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    outcomes |= {"slowest": round(slowest, 3), "megabytes": (memory() - before) >> 20}
    print(json.dumps(outcomes))
