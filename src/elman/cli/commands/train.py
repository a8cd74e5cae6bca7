"""`elman train`: from a file of sequences to a saved model, its scores and its curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from elman import plotting
from elman._validation import choice, integer, number
from elman.cli.commands import Say, loaded_model, output_paths, plots, scores
from elman.cli.commands import data as files
from elman.cli.commands import hyperparameters as recipes
from elman.cli.commands.data import TASKS, Data
from elman.cli.commands.hyperparameters import Recipe
from elman.cli.commands.split import Split, announce, make_split
from elman.model import atomic_write
from elman.plotting import style
from elman.training import checkpoint


@dataclass(frozen=True)
class Trained:
    """What a run gave; ``training`` and ``validation`` are sizes and scores, by name."""

    model: str
    estimator: str
    task: str
    per_step: bool
    features: int
    classes: list[Any] | None
    parameters: int
    dtype: str
    seed: int
    epochs: int
    best_epoch: int
    resumed_after: int
    seconds: float
    training: dict[str, Any]
    validation: dict[str, Any] | None
    curves: str | None
    history: dict[str, list[float]]


def train(
    path: str,
    model: str,
    recipe: Recipe,
    *,
    columns: Mapping[str, Any],
    task: str = "auto",
    valid: str | None = None,
    fraction: float | None = None,
    resume: bool | None = None,
    curves: str | None = None,
    draw: bool = True,
    bar: bool = False,
    say: Say = lambda _: None,
    warn: Say = lambda _: None,
) -> Trained:
    """Train on a file, save the model, and return how well it does.

    ``resume``: True goes on with the run in MODEL.checkpoint, False begins anew, None refuses to overwrite
    one. ``fraction``: None holds a tenth out where there is enough, 0 nothing. Interrupted, the checkpoint
    stays. ``say`` is told what is done on the way, ``warn`` what was not done.
    """
    choice("--task", task, ("auto", *TASKS))
    if valid is not None and fraction is not None:
        raise ValueError("--valid and --valid-fraction are both given, expected one of them")
    if fraction is not None:
        number("--valid-fraction", fraction, below=1.0)
    keep = f"{model}.checkpoint"
    output_paths.keep_apart(
        {"TRAIN": path, "--valid": valid}, {"--model": model, "the checkpoint": keep, "--curves": curves}
    )
    atomic_write.probe(model)  # a run of hours must not end with a file that cannot be written
    if curves is not None:
        plots.check("--curves", curves)
    integer("--seed", recipe.seed)
    done = _unfinished(keep, resume)

    split = make_split(path, task, columns, valid, fraction, recipe.seed)
    notes = [announce(split)]
    if resume:
        notes.append(f"going on after epoch {done}" if done else f"there is no run in {keep}: beginning anew")
    estimator = recipes.estimator(recipe, split.task, split.train.labels(), bar)
    seconds = _fit(estimator, split, keep, bool(resume), lambda: say("\n".join(notes)))
    estimator.save(model)
    Path(keep).unlink(missing_ok=True)

    opened = loaded_model.load(model)
    best = _best_epoch(estimator)
    history = {key: list(values) for key, values in estimator.network_.history.history.items()}
    picture = None
    if draw:
        at = plots.beside(model, "curves") if curves is None else Path(curves)
        picture = plots.draw(lambda to: _draw(history, best, to), at, curves is not None, warn)
    return Trained(
        model=model,
        estimator=opened.kind,
        task=split.task,
        per_step=opened.per_step,
        features=opened.features,
        classes=opened.classes,
        parameters=len(estimator.network_.parameters),
        dtype=estimator.network_.dtype.name,
        seed=recipe.seed,
        epochs=estimator.n_iter_,
        best_epoch=best,
        resumed_after=done,
        seconds=seconds,
        training=_scored(opened, split.train),
        validation=None if split.valid is None else {"source": split.source, **_scored(opened, split.valid)},
        curves=picture,
        history=history,
    )


def _unfinished(keep: str, resume: bool | None) -> int:
    """Return after how many epochs this run goes on; ValueError where a run would be lost unasked."""
    done = 0 if resume is False else _epochs_in(keep)
    if resume is None and done:
        raise ValueError(
            f"{keep!r} holds an unfinished run of {files.plural(done, 'epoch')}: "
            f"--resume goes on with it, --restart begins anew"
        )
    return done


def _epochs_in(keep: str) -> int:
    """Return how many finished epochs a checkpoint holds, 0 where there is none."""
    spec = checkpoint.peek(keep)
    return 0 if spec is None else integer("epoch", checkpoint.network_spec(spec, repr(keep)).get("epoch"))


def _fit(estimator: Any, split: Split, keep: str, resume: bool, begun: Callable[[], None]) -> float:
    """Fit the estimator and return the seconds that it took; ``begun`` is called when all is checked."""

    def start_run() -> None:
        if not resume:  # lest a kill in the first epoch leaves another run to be resumed
            Path(keep).unlink(missing_ok=True)
        begun()

    start = perf_counter()
    validation = None if split.valid is None else (split.valid.X, split.valid.y)
    try:
        estimator.fit(
            split.train.X,
            split.train.y,
            validation_data=validation,
            checkpoint=keep,
            resume=resume,
            on_start=start_run,
        )
    except KeyboardInterrupt:
        done = _epochs_in(keep)
        if not done:
            raise
        raise KeyboardInterrupt(
            f"stopped after {files.plural(done, 'epoch')}; the same command with --resume goes on"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(recipes.as_option(str(error))) from None
    estimator.verbose = False  # the bar belongs to this run, not to the model
    return perf_counter() - start


def _best_epoch(estimator: Any) -> int:
    """Return the epoch, from 1, whose weights the model has."""
    history = estimator.network_.history.history
    if "val_loss" not in history or not estimator.n_iter_:
        return int(estimator.n_iter_)
    pairs = zip(estimator.validation_scores_, history["val_loss"], strict=True)
    ranked = [(score, -loss) for score, loss in pairs]
    return ranked.index(max(ranked)) + 1


def _scored(model: loaded_model.Opened, data: Data) -> dict[str, Any]:
    """Return sizes and scores on labeled data."""
    y = data.labels()
    answers = model.answers(data)
    flat = np.concatenate(answers) if isinstance(answers, list) else answers
    labels = np.concatenate(y) if isinstance(y, list) else y
    sizes: dict[str, Any] = {"sequences": len(data.X), "steps": data.steps}
    if model.classes is None:
        given = ~np.isnan(labels)
        found: dict[str, float] = scores.of_numbers(labels[given], flat[given, 0])
    else:
        given = ~files.missing(labels) if isinstance(y, list) else np.ones(len(labels), bool)
        expected, _ = files.places(labels[given], model.classes)
        found = scores.of_classes(expected, flat[given].argmax(axis=1))
    return {**sizes, "answers": int(given.sum()), **found}


def _draw(history: dict[str, list[float]], best: int, path: Path) -> None:
    figure: Any = plotting.curves(history).figure
    if "val_loss" in history:
        for panel in figure.axes:
            panel.axvline(best, color=style.GRAY, linewidth=1.0, linestyle=(0, (1, 2)), zorder=0)
        title = f"dotted: epoch {best}, whose weights were kept"
        figure.axes[0].set_title(title, loc="left", fontsize=8, color=style.GRAY)
    style.save(figure, path)
