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
from elman.anaesthesia import DepthFeatures, DepthForecaster, Scores, future, load_vitals, repeated, score
from elman.data.sequences import Sequences

DATA = Path(os.environ.get("ELMAN_DATA", Path(__file__).parents[1] / "../shared/data")) / "anesthesia"
AHEAD = 6
# Cells, one a network (their seeds count from 0), and units of each.
RECIPES = {
    "Elman network": (("rnn",), 64),
    "Elman network and five GRUs, 96 units": (("rnn", *["gru"] * 5), 96),
}


def linear(train: Any, valid: Any, tracks: Any) -> list[Any]:
    """Return the forecasts of a ridge regression of the change of BIS on the same features, step by step."""
    features = DepthFeatures(tracks, ahead=AHEAD)
    read = features.fit_transform(train.X)
    change = np.concatenate(future(train.X, tracks, AHEAD)) - read.values[:, 0]
    known = ~np.isnan(change)
    values = read.values[known].astype(np.float64)
    model = make_pipeline(StandardScaler(), Ridge(1.0)).fit(values, change[known])
    found = features.transform(valid.X)
    bis = np.clip(found.values[:, 0] + model.predict(found.values.astype(np.float64)), 0, 98)
    return list(Sequences(bis, found.offsets))


def known_now(valid: Any, answers: list[Any]) -> list[Any]:
    """Return the answers to those steps alone that have a reading of their own."""
    return [np.where(np.isnan(bis), np.nan, answer) for bis, answer in zip(valid.y, answers, strict=True)]


def row(scores: Scores, now: Scores, chosen: Scores, seconds: float) -> dict[str, Any]:
    """Return what is kept of a method: balanced accuracy of the forecast BIS, and of the chosen depth."""
    errors = scores.by_case[~np.isnan(scores.by_case)]
    low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75])
    return {
        "mean_absolute_error": round(scores.error, 4),
        "mean_absolute_error_where_known_now": round(now.error, 4),
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
        plain, now = score(answers, bis), score(known_now(valid, answers), bis)
        chosen = plain if depths is None else score(answers, bis, depths)
        found[name] = row(plain, now, chosen, seconds)
        print(name, found[name], flush=True)

    keep("repeating the last value", repeated(valid.X, tracks), None, 0.0)
    start = time.process_time()
    keep("linear, same features", linear(train, valid, tracks), None, time.process_time() - start)
    for name, (cells, units) in RECIPES.items():
        start = time.process_time()
        model = recipe(tracks, cells, units, args.threads).fit(train.X)
        seconds = time.process_time() - start
        keep(name, list(model.predict(valid.X)), list(model.predict_depth(valid.X)), seconds)
    show(found)
    steps = [int(sum((~np.isnan(a)).sum() for a in some)) for some in (answers, known_now(valid, answers))]
    document = {
        "operations": [len(train.X), len(valid.X)],
        "steps": steps[0],
        "steps_known_now": steps[1],
        "methods": found,
    }
    (RESULTS / f"{args.save}.json").write_text(json.dumps(document, indent=2) + "\n")


def recipe(tracks: Any, cells: tuple[str, ...], units: int, threads: int | None) -> DepthForecaster:
    """Return an untrained forecaster."""
    return DepthForecaster(
        tracks,
        cells=cells,
        hidden=units,
        epochs=12,
        batch_size=8,
        rate=5e-3,
        window=256,
        ahead=AHEAD,
        random_state=0,
        n_jobs=threads,
    )


def show(found: dict[str, Any]) -> None:
    """Print a Markdown table."""
    print("\n| method | BIS error | where known now | balanced accuracy | of the forecast BIS | CPU s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, value in found.items():
        print(
            f"| {name} | {value['mean_absolute_error']:.2f} | "
            f"{value['mean_absolute_error_where_known_now']:.2f} | {value['balanced_accuracy']:.3f} | "
            f"{value['balanced_accuracy_of_bis']:.3f} | {value['cpu_seconds']:.0f} |"
        )


if __name__ == "__main__":
    main()
