"""How well are the kinds of EEG told apart? Ten folds by segment of the Bonn recordings.

The recipes are those of elman.demos.eeg_recipes. They were fixed before these folds were seen; each is
fitted once in each fold. Nothing but the model is fitted: the features learn nothing from data.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from benchmarks.measure import save, setting
from elman.datasets import load_bonn
from elman.demos import eeg_recipes
from elman.evaluation import folds
from elman.training import plan

DATA = Path(os.environ.get("ELMAN_DATA", Path(__file__).parents[1] / "../shared/data")) / "bonn"
FS = 173.61
TASKS = {
    "ADE": (
        eeg_recipes.band_powers(FS),
        eeg_recipes.elman_net(FS),
        eeg_recipes.elman_net(FS, 3072, 512, units=16, noise=1.0),
        eeg_recipes.spectrum_alone(FS),
        eeg_recipes.reservoirs_alone(FS),
        eeg_recipes.reservoirs(FS),
    ),
    "ABCDE": (
        eeg_recipes.band_powers(FS),
        eeg_recipes.elman_net(FS, 1024, 256, noise=0.5),
        eeg_recipes.spectrum_alone(FS),
        eeg_recipes.reservoirs_alone(FS),
        eeg_recipes.reservoirs(FS),
    ),
}


def measure(data: Path, sets: str, seed: int) -> list[dict[str, Any]]:
    """Return one row a recipe: mean accuracy, its spread over the folds, wall and processor seconds."""
    X, y, _ = load_bonn(data, sets=sets)
    split = folds(y, n_splits=10, seed=seed)
    rows = []
    for recipe in TASKS[sets]:
        wall, cpu = time.perf_counter(), time.process_time()
        result = eeg_recipes.cross_validate(recipe, X, y, split)
        rows.append(
            {
                "sets": sets,
                "recipe": recipe.name,
                "accuracy": float(result.accuracy.mean()),
                "spread": float(result.accuracy.std()),
                "wrong": int((result.predicted != np.asarray(y)).sum()),
                "seconds": round(time.perf_counter() - wall, 1),
                "cpu_seconds": round(time.process_time() - cpu, 1),
                "confusion": confusion_matrix(y, result.predicted).tolist(),
            }
        )
        print(
            f"{sets:<6} {recipe.name:<50} {rows[-1]['accuracy']:.4f} ± {rows[-1]['spread']:.4f} "
            f"{rows[-1]['seconds']:6.1f} s ({rows[-1]['cpu_seconds']:.1f} s of processor)",
            flush=True,
        )
    return rows


def main() -> None:
    """Measure what was asked for and keep the result of the whole."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the Bonn files: folder, zips or .npz")
    parser.add_argument("--sets", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seed", type=int, default=0, help="of the folds; results are kept for 0 alone")
    options = parser.parse_args()
    data = options.data or next(iter(sorted(DATA.glob("*.npz"))), DATA)
    rows = [row for sets in options.sets for row in measure(data, sets, options.seed)]
    if options.seed == 0 and options.sets == list(TASKS):
        save(
            "bonn",
            {**setting(plan.threads(None), []), "folds": "stratified, shuffled, seed 0", "rows": rows},
        )


if __name__ == "__main__":
    main()
