"""Made-up recordings in the formats of their owners, for the tests of the readers."""

import os
import zipfile
from pathlib import Path

import numpy as np


def data(folder):
    """Where evaluation data lies, or None: beside the checkout, or where ELMAN_DATA says."""
    places = [Path(__file__).resolve().parents[i] / "shared" / "data" for i in (3, 4)]
    places = [Path(os.environ["ELMAN_DATA"])] if "ELMAN_DATA" in os.environ else places
    return next((place / folder for place in places if (place / folder).is_dir()), None)


# ----------------------------------------------------------------------------------------------------- Bonn


def bonn_names(count):
    """The first so many segments of each set."""
    return [f"{letter}{i:03}" for letter in "ZONFS" for i in range(1, count + 1)]


def segment(name):
    """4097 samples that differ from segment to segment."""
    seed = ord(name[0]) * 1000 + int(name[1:])
    return np.random.default_rng(seed).integers(-2048, 2048, size=4097)


def segment_text(name):
    return "".join(f"{value}\n" for value in segment(name)).encode()


def bonn_zip(path, names, inside="{}.txt"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(inside.format(name), segment_text(name))
    return path


# ------------------------------------------------------------------------------------------------------ UCI


def uci_table(count, seed=0, names=None):
    """Lines of the UCI table of so many segments, shuffled, and the segments by name ("y/rest of the id")."""
    generator = np.random.default_rng(seed)
    names = names or [f"{1 + i % 5}/V1.{10 * i}" for i in range(count)]
    segments = {name: generator.integers(-2048, 2048, size=23 * 178) for name in names}
    rows = []
    for name, values in segments.items():
        label, rest = name.split("/")
        for chunk, part in enumerate(values.reshape(23, 178), 1):
            rows.append(f"X{chunk}.{rest},{','.join(map(str, part))},{label}")
    generator.shuffle(rows)
    return [",".join(["id", *(f"X{i}" for i in range(1, 179)), "y"]), *rows], segments


# ------------------------------------------------------------------------------------------------------ EDF


def edf(path, signals, annotations=None, *, bdf=False, record=1.0, interrupted=None):
    """Write an EDF or BDF file with edfio; returns its bytes.

    signals: (label, rate, values) or with a unit; annotations: (onset, duration, text); interrupted: the
    onsets of the data records, which make it discontinuous (EDF+D).
    """
    import edfio

    kind, made = ("BDF", edfio.BdfSignal) if bdf else ("EDF", edfio.EdfSignal)
    low, high = (-8388608, 8388607) if bdf else (-32768, 32767)
    rows = [
        made(
            np.asarray(values, float),
            rate,
            label=label,
            physical_dimension=unit[0] if unit else "uV",
            physical_range=(-1000, 1000),
            digital_range=(low, high),
        )
        for label, rate, values, *unit in signals
    ]
    whole = edfio.Bdf if bdf else edfio.Edf
    listed = None if annotations is None else [edfio.EdfAnnotation(*one) for one in annotations]
    if interrupted is not None and listed is None:
        listed = []
    file = whole(rows, annotations=listed, data_record_duration=record)
    file.write(path)
    content = bytearray(path.read_bytes())
    if interrupted is not None:
        content[192:197] = f"{kind}+D".encode()
        at = 0
        for i, onset in enumerate(interrupted):  # the first list of each data record is its time
            old = f"+{i * record:g}\x14\x14".encode()
            new = f"{onset:+g}\x14\x14".encode()
            at = content.index(old, at)
            end = content.index(b"\0", at + len(old))
            content[at : at + len(old)] = new
            grown = len(new) - len(old)
            del content[end + grown + 1 : end + 2 * grown + 1]  # of the zeros that fill the rest
            at += len(new)
        path.write_bytes(bytes(content))
    return bytes(content)


def _listed(onset, text, duration=None):
    """One list of annotations, as bytes of EDF+."""
    lasts = "" if duration is None else f"\x15{duration:.9g}"
    return f"{onset:+.9g}{lasts}\x14{text}\x14\0".encode()


def edf_plus(
    path, samples, notes=(), *, starts=None, kind="EDF+C", record=1.0, fields=None, when="01.02.2003.04.05"
):
    """Write an EDF+ file byte by byte, so that anything in it may be wrong; returns its bytes.

    samples: {label: (records, samples of one record) integers}, in tenths of a microvolt; notes: (onset,
    text) or with a duration, in the record of their onset; starts: of the records in s; fields: other texts
    for "unit", "low" (the physical minimum), "duration".
    """
    fields = {"unit": b"uV", "low": b"-3276.8", "duration": f"{record:g}".encode()} | (fields or {})
    records = len(next(iter(samples.values()))) if samples else len(starts or [0])
    starts = [record * i for i in range(records)] if starts is None else list(starts)
    texts = [_listed(start, "") for start in starts]
    for note in notes:
        at = max((i for i, start in enumerate(starts) if start <= note[0] + 1e-9), default=0)
        texts[at] += _listed(note[0], *note[1:])
    width = max(map(len, texts)) // 2 * 2 + 2
    count = len(samples)
    columns = (  # of each signal, of the annotations, and the bytes of a field
        ([label.encode() for label in samples], b"EDF Annotations", 16),
        ([b""] * count, b"", 80),
        ([fields["unit"]] * count, b"", 8),
        ([fields["low"]] * count, b"-1", 8),
        ([b"3276.7"] * count, b"1", 8),
        ([b"-32768"] * count, b"-32768", 8),
        ([b"32767"] * count, b"32767", 8),
        ([b""] * count, b"", 80),
        ([str(np.shape(x)[1]).encode() for x in samples.values()], str(width // 2).encode(), 8),
        ([b""] * count, b"", 32),
    )
    parts = [
        *((b"0", 8), (b"X X X X", 80), (b"Startdate X X X X", 80), (when.encode(), 16)),
        *((str(256 * (count + 2)).encode(), 8), (kind.encode(), 44), (str(records).encode(), 8)),
        *((fields["duration"], 8), (str(count + 1).encode(), 4)),
        *((one, size) for many, last, size in columns for one in (*many, last)),
    ]
    blocks = [text.ljust(size) for text, size in parts]
    for i, text in enumerate(texts):
        blocks += [np.asarray(x[i], "<i2").tobytes() for x in samples.values()]
        blocks.append(text.ljust(width, b"\0"))
    content = b"".join(blocks)
    path.write_bytes(content)
    return content
