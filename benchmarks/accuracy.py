"""How often is the classifier right? Mean accuracy on published test sets, seeds 0 to 4, one recipe a set.

The sets are .ts files of timeseriesclassification.com, NAME_TRAIN.ts and NAME_TEST.ts, in the folder `ts` of
ELMAN_DATA. Recipes were chosen by cross-validation within the training set; the test set was then asked once.
GunPoint and ArrowHead, slow curves of one feature, are read in frames: a few samples a step instead of one.
"""

from __future__ import annotations

import os
import statistics
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from elman import RNNClassifier, read_sequences

DATA = Path(os.environ.get("ELMAN_DATA", Path(__file__).parents[1] / "../shared/data")) / "ts"


class Frames(TransformerMixin, BaseEstimator):
    """Univariate sequences (T, 1) as overlapping frames (steps, width), one every ``hop`` samples."""

    def __init__(self, width: int = 8, hop: int = 4) -> None:
        self.width, self.hop = width, hop

    def fit(self, X: Any, y: Any = None) -> Frames:  # noqa: ARG002
        """Learn nothing."""
        return self

    def transform(self, X: Any) -> list[Any]:
        """Cut every sequence."""
        windows = np.lib.stride_tricks.sliding_window_view
        return [windows(x[:, 0], self.width)[:: self.hop] for x in X]

    def __sklearn_is_fitted__(self) -> bool:
        return True


def plain(**changes: Any) -> RNNClassifier:
    """Return the recipe that serves most sets."""
    recipe: dict[str, Any] = {
        "pooling": "max",
        "learning_rate_init": 3e-3,
        "learning_rate": "cosine",
        "max_iter": 200,
        "batch_size": 8,
        "input_noise": 0.3,
        "dtype": "float32",
    }
    return RNNClassifier(**recipe | changes)


def framed() -> Any:
    """Return the recipe for long curves of one feature."""
    last = plain(hidden_layer_sizes=(32, 32), activation="relu", input_noise=0.03, max_iter=300)
    return make_pipeline(Frames(8, 4), last)


RECIPES = {
    "JapaneseVowels": plain(),
    "BasicMotions": plain(),
    "ItalyPowerDemand": plain(),
    "GunPoint": framed(),
    "ArrowHead": framed(),
}


@dataclass(frozen=True)
class Result:
    """Accuracies on the test set, one a seed, and the seconds that fitting took."""

    accuracies: list[float]
    seconds: list[float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.accuracies)


def measure(name: str, data: Path = DATA, seeds: int = 5) -> Result:
    """Fit a set's recipe with each seed, and score it on the test set."""
    X, y = read_sequences(data / f"{name}_TRAIN.ts")
    X_test, y_test = read_sequences(data / f"{name}_TEST.ts")
    accuracies, seconds = [], []
    for seed in range(seeds):
        model = RECIPES[name]
        last = model if isinstance(model, RNNClassifier) else model[-1]
        last.set_params(random_state=seed)
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
        accuracies.append(float(model.score(X_test, y_test)))
    return Result(accuracies, seconds)


def main() -> None:
    """Measure the sets that are there, and print a table."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(RECIPES), help="which (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the .ts files")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    args = parser.parse_args()
    print("| set | train, test | mean accuracy | lowest, highest | seconds a fit |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name in args.sets:
        if not (args.data / f"{name}_TEST.ts").is_file():
            print(f"| {name} | not in {args.data} | | | |")
            continue
        n, m = (len(read_sequences(args.data / f"{name}_{part}.ts")[0]) for part in ("TRAIN", "TEST"))
        found = measure(name, args.data, args.seeds)
        low, high = min(found.accuracies), max(found.accuracies)
        seconds = statistics.median(found.seconds)
        print(f"| {name} | {n}, {m} | {found.mean:.4f} | {low:.3f}, {high:.3f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
