"""A stream through features and network: answers equal to the batch's, then microseconds a chunk of samples.

Sixteen channels at 512 Hz come in chunks of 0.1 s: log spectra, or power in bands, of half a second up to
45 Hz, then 32 units and a softmax over three classes.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.measure import options, save, setting, spread
from elman import RNNClassifier, stream
from elman.features import BandPower, LogSpectrum

FS, CHANNELS, CHUNK = 512.0, 16, 51
BLOCKS, CHUNKS = 40, 100  # measured in turns: chunks of a block follow each other
TOLERANCE = 1e-6
HOPS = (32, 64, 128)
FEATURES = {f"spectrum, hop {hop}": LogSpectrum(FS, window=256, hop=hop, max_hz=45.0) for hop in HOPS}
FEATURES |= {f"bands, hop {hop}": BandPower(FS, window=256, hop=hop) for hop in HOPS}


def fitted(features: Any, samples: Any) -> Pipeline:
    """A network trained for two epochs: what it has learned does not matter here."""
    parts = samples.reshape(12, -1, CHANNELS)
    network = RNNClassifier(32, max_iter=2, random_state=0)
    return make_pipeline(features, network).fit(parts, np.arange(12) % 3)


def prove(model: Pipeline, samples: Any) -> float:
    """The largest difference between the stream's answers and the batch's; stop where it is too large."""
    once = stream(model)
    rows = np.concatenate([once.steps(samples[i : i + CHUNK]) for i in range(0, len(samples), CHUNK)])
    ends = model[0].ends(len(samples))[::40]
    expected = model.predict_proba([samples[: end + 1] for end in ends])
    worst = float(np.abs(rows[::40] - expected).max())
    if not worst <= TOLERANCE:
        raise SystemExit(f"the stream's probabilities differ from the batch's by {worst:.1e}")
    return worst


def main() -> None:
    """Prove, measure by this process's CPU time, print and save."""
    parser = options(__doc__, [], BLOCKS, 1)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    samples = 20.0 * rng.standard_normal((60 * int(FS), CHANNELS))
    models = {name: fitted(features, samples) for name, features in FEATURES.items()}
    result: dict[str, Any] = {
        "what": f"microseconds of CPU time a chunk of {CHUNK} samples",
        **setting(1, []),
        "sizes": {"F": CHANNELS, "H": 32, "C": 3, "fs": FS, "chunk": CHUNK},
        "max_difference": {name: prove(model, samples) for name, model in models.items()},
    }
    streams = {name: stream(model) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    chunks = [samples[i : i + CHUNK] for i in range(0, CHUNK * CHUNKS, CHUNK)]
    for turn in range(args.repeat + 1):
        for name, each in streams.items():
            begin = time.process_time()
            for chunk in chunks:
                each.steps(chunk)
            spent = (time.process_time() - begin) / CHUNKS
            if turn:  # the first one is not counted
                seconds[name].append(spent)
    result["times"] = {name: spread(values, 1e6) for name, values in seconds.items()}
    result["least_us"] = {name: round(1e6 * min(values), 1) for name, values in seconds.items()}
    result["times_real_time"] = {
        name: round(CHUNK / FS / (1e-6 * each["median"])) for name, each in result["times"].items()
    }
    for name, each in result["times"].items():
        print(
            f"{name:18} {each['median']:6.1f} us [{each['q1']:.1f}, {each['q3']:.1f}], least "
            f"{result['least_us'][name]}: {result['times_real_time'][name]} times real time"
        )
    save(args.save or "features_stream", result)


if __name__ == "__main__":
    main()
