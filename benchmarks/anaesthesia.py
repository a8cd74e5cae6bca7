"""BIS 60 s ahead and depth of anaesthesia: trained on train.npz, measured on valid.npz, all recorded.

`python -m benchmarks.anaesthesia --data FOLDER`. Measured at every step with a reading 60 s later, also where
there has been none before. Recipes were chosen within train.npz, on a fifth of its operations.
"""

from __future__ import annotations

import json
import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import RESULTS
from elman.datasets import load_vitals
from elman.depth import DepthFeatures, DepthForecaster, Scores, future, repeated, score
from elman.sequences import Sequences

DATA = Path(os.environ.get("ELMAN_DATA", Path(__file__).parents[1] / "../shared/data")) / "anesthesia"
AHEAD = 6
# The best has the Elman network of the first row among its five, which are seeds 0 to 4.
RECIPES = {
    "Elman network": ("rnn",),
    "two Elman networks and three GRUs": ("rnn", "rnn", "gru", "gru", "gru"),
}


def linear(train: Any, valid: Any, tracks: Any) -> list[Any]:
    """Return the forecasts of a ridge regression of the change of BIS on the same features, step by step."""
    features = DepthFeatures(tracks, ahead=AHEAD)
    read = features.fit_transform(train.X)
    change = np.concatenate(future(train.X, tracks, AHEAD)) - read.values[:, 0]
    known = ~np.isnan(change)
    model = make_pipeline(StandardScaler(), Ridge(1.0)).fit(read.values[known], change[known])
    found = features.transform(valid.X)
    bis = np.clip(found.values[:, 0] + model.predict(found.values), 0, 98)
    return list(Sequences(bis, found.offsets))


def row(scores: Scores, chosen: Scores, seconds: float) -> dict[str, float]:
    """Return what is kept of a method: balanced accuracy of the forecast BIS, and of the chosen depth."""
    errors = scores.by_case[~np.isnan(scores.by_case)]
    low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75])
    return {
        "mean_absolute_error": round(scores.error, 4),
        "balanced_accuracy_of_bis": round(scores.balanced_accuracy, 4),
        "balanced_accuracy": round(chosen.balanced_accuracy, 4),
        "case_quartiles": [round(float(value), 3) for value in (low, middle, high)],
        "cpu_seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure all methods, print a table, and keep the result."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of train.npz and valid.npz")
    parser.add_argument("--threads", type=int, default=None, help="threads of a fit")
    parser.add_argument("--save", default="anaesthesia", metavar="NAME", help="write results/NAME.json")
    args = parser.parse_args()
    train, valid = load_vitals(args.data / "train.npz"), load_vitals(args.data / "valid.npz")
    tracks = train.description.channels
    answers = future(valid.X, tracks, AHEAD)
    found: dict[str, Any] = {}

    def keep(name: str, bis: Any, depths: Any, seconds: float) -> None:
        plain = score(answers, bis)
        found[name] = row(plain, plain if depths is None else score(answers, bis, depths), seconds)
        print(name, found[name], flush=True)

    keep("repeating the last value", repeated(valid.X, tracks), None, 0.0)
    start = time.process_time()
    keep("linear, same features", linear(train, valid, tracks), None, time.process_time() - start)
    for name, cells in RECIPES.items():
        start = time.process_time()
        model = recipe(tracks, cells, args.threads).fit(train.X)
        seconds = time.process_time() - start
        keep(name, list(model.predict(valid.X)), list(model.predict_depth(valid.X)), seconds)
    show(found)
    steps = int(sum((~np.isnan(a)).sum() for a in answers))
    document = {"operations": [len(train.X), len(valid.X)], "steps": steps, "methods": found}
    (RESULTS / f"{args.save}.json").write_text(json.dumps(document, indent=2) + "\n")


def recipe(tracks: Any, cells: tuple[str, ...], threads: int | None) -> DepthForecaster:
    """Return an untrained forecaster."""
    return DepthForecaster(
        tracks, cells=cells, hidden=64, epochs=12, batch_size=8, rate=5e-3, window=256, ahead=AHEAD,
        random_state=0, n_jobs=threads,
    )  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """Print a Markdown table."""
    print("\n| method | BIS error | balanced accuracy | of the forecast BIS | case quartiles | CPU s |")
    print("| --- | ---: | ---: | ---: | --- | ---: |")
    for name, value in found.items():
        quartiles = ", ".join(f"{q:.2f}" for q in value["case_quartiles"])
        print(
            f"| {name} | {value['mean_absolute_error']:.2f} | {value['balanced_accuracy']:.3f} | "
            f"{value['balanced_accuracy_of_bis']:.3f} | {quartiles} | {value['cpu_seconds']:.0f} |"
        )


if __name__ == "__main__":
    main()
