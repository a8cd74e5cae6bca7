"""Recordings with something wrong in them: a sentence that names the file, or a whole data set."""

import io
import json
import random
import sys
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from elman.datasets import edf_info, load_bonn, load_edf, load_uci_seizure
from helpers import recordings
from helpers.mutants import mutate, mutate_inside
from helpers.support import proofs, run_script

LABELS = {"seizure": 1, "artifact": 2}


def chunks(path):
    return load_uci_seizure(path, whole=False)


def read(path, **options):
    """Read an EDF file, and describe it; what they say about it names it."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        dataset = load_edf(path, **options)
        info = edf_info(path)
    assert all(one.category is UserWarning and "a.edf'" in str(one.message) for one in notes), notes
    if options.get("damaged") is None:
        assert set(dataset.description.channels) <= set(info.channels)
    return dataset


def originals(kind, folder):
    """Name, content and reader of good recordings of a kind."""
    path = Path(folder) / "original"
    if kind == "bonn":
        text = recordings.segment_text("Z001")
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("Z/Z001.txt", text)
        saved = io.BytesIO()
        X = recordings.segment("Z001")[None].astype(np.int16)
        np.savez(saved, X=X, set=["A"], id=["Z001"], fs=173.61)
        contents = {"Z001.txt": text, "Z.zip": zipped.getvalue(), "bonn.npz": saved.getvalue()}
        return [
            (name, content, lambda p: load_bonn(p.parent if p.suffix == ".txt" else p))
            for name, content in contents.items()
        ]
    if kind == "uci":
        lines, _ = recordings.uci_table(1)
        text = "\n".join(lines).encode()
        return [("data.csv", text, load_uci_seizure), ("data.csv", text, chunks)]
    pytest.importorskip("edfio")
    made = []
    noise = np.random.default_rng(0).normal(scale=100, size=200)
    for bdf in (False, True):
        for notes in (None, [(0.5, 1.0, "seizure"), (2.0, None, "artifact")]):
            signals = [("Cz", 50, noise), ("Pz", 25, noise[:100])]
            content = recordings.edf(path, signals, notes, bdf=bdf)
            made.append(("a.edf", content, lambda p: read(p, labels=LABELS, fs=50)))
            made.append(("a.edf", content, lambda p: read(p, labels=LABELS, fs=50, damaged="read")))
        content = recordings.edf(path, signals, notes, bdf=bdf, interrupted=[0, 1, 5, 6])
        made.append(("a.edf", content, lambda p: read(p, labels=LABELS, channels=["Cz"])))
        made.append(("a.edf", content, lambda p: read(p, labels=LABELS, channels=["Cz"], damaged="read")))
        path.with_suffix(".edf").write_bytes(content)
        made.append(
            (
                "a.edf",
                content,
                lambda p: read(path.with_suffix(".edf"), channels=["Cz"], labels=LABELS, annotations=p),
            )
        )
    return made


def wound(name, content, choose):
    """A file with something wrong, in its header alone, inside its zip, or anywhere."""
    if name == "a.edf" and choose.random() < 0.6:
        size = choose.choice([256, 768, 1024])
        return mutate(content[:size], choose)[:size].ljust(size) + content[size:]
    if name == "bonn.npz" and choose.random() < 0.5:
        return mutate_inside(content, choose)
    return mutate(content, choose)


def check(dataset):
    X, y, description = dataset
    assert len(X) and X.values.dtype == np.float32 and np.isfinite(X.values).all()
    assert len(description.ids) == len(X) and len(description.channels) == X.values.shape[1]
    if isinstance(y, list):
        assert [len(labels) for labels in y] == [len(x) for x in X]
        assert set(np.concatenate(y)) <= {0, 1, 2}
    else:
        assert len(y) == len(X) and set(y) <= {*"ABCDE", 1, 2, 3, 4, 5}


def attack(kind, n, seed, folder):
    """Read n mutants of a kind; return how many were refused."""
    choose, outcomes = random.Random(seed), Counter()
    known = originals(kind, folder)
    place = Path(folder) / "mutant"
    place.mkdir(exist_ok=True)
    for name, content, load in known:  # all good as they are
        (place / name).write_bytes(content)
        check(load(place / name))
        (place / name).unlink()
    for i in range(n):
        name, content, load = choose.choice(known)
        path = place / name
        mutant = wound(name, content, choose)
        path.write_bytes(mutant)
        start, said = time.thread_time(), f"{name}'"
        try:
            check(load(path))
            outcomes["read"] += 1
        except ValueError as error:
            outcomes["refused"] += 1
            said = str(error)
        except BaseException:
            print(f"mutant {i} of seed {seed}: {mutant!r}", file=sys.stderr)
            raise
        named = f"{name}'" in said or "mutant' has no segments" in said
        assert named and "\n" not in said and len(said) < 1000, (said, mutant)
        assert "more memory" not in said and time.thread_time() - start < 5.0, (said, mutant)
        path.unlink()
    return outcomes


# In a process of its own, whose memory is bounded: more than that is an error there, not a slow machine.
SIEGE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[5])
from test_damaged_recordings import attack
kind, n, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
attack(kind, 20, seed + 1, folder)
if sys.platform == "linux":
    import resource
    room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**29
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
print(json.dumps(attack(kind, n, seed, folder)))
"""


def besiege(kind, n, seed, folder):
    outcomes = json.loads(
        run_script(
            SIEGE, timeout=900.0, arguments=[kind, str(n), str(seed), str(folder), str(Path(__file__).parent)]
        )
    )
    print(outcomes)
    assert sum(outcomes.values()) == n
    assert n < 100 or min(outcomes["read"], outcomes["refused"]) > n // 50, outcomes


@pytest.mark.parametrize("kind", ["bonn", "uci", "edf"])
def test_damaged_recordings_are_read_or_refused(kind, tmp_path):
    besiege(kind, 300, 1, tmp_path)


@pytest.mark.prove
@pytest.mark.parametrize("kind", ["bonn", "uci", "edf"])
def test_thousands_of_damaged_recordings_are_read_or_refused(kind, tmp_path):
    besiege(kind, proofs(5_000), 1000, tmp_path)
