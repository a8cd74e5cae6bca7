"""`elman train`: from a file of sequences to a saved model, its scores and its curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from elman import plotting
from elman._validation import choice, integer, number
from elman.cli.commands import Say, kept_model, loaded_model, output_paths, plots, scores
from elman.cli.commands import data as files
from elman.cli.commands import hyperparameters as recipes
from elman.cli.commands.data import TASKS, Data
from elman.cli.commands.feature_order import in_order
from elman.cli.commands.hyperparameters import Recipe
from elman.cli.commands.option_names import option_names
from elman.cli.commands.training_data import TrainingData, announce, read_training, read_validation
from elman.errors import ArgumentValueError
from elman.estimators import convergence
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
    """Train on a file, save the model, and return its scores.

    ``resume``: True continues the run in MODEL.checkpoint, False starts anew, None refuses to overwrite a
    run. Only False replaces a finished model of other data in MODEL. ``fraction`` of the sequences are held
    out: None stands for a tenth, or nothing where that is too little; 0 for nothing. After an interruption
    the checkpoint stays. ``say`` gets what happens on the way, ``warn`` what could not be done.
    """
    choice("--task", task, ("auto", *TASKS))
    if valid is not None and fraction is not None:
        raise ArgumentValueError("--valid", "and --valid-fraction are both given", "one of them")
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

    training = read_training(path, task, columns)
    if resume and done:  # the order of the features is that of the run which goes on
        from elman.estimators.files import features_of_run  # at call: scikit-learn takes half a second

        known, where = features_of_run(keep, True), f"as in the run {keep!r}"
        training = replace(training, data=in_order(training.data, known, where, warn))
    replaced = "" if resume and done else kept_model.replaces(model, training.data, resume is False)
    watched = None if valid is None else read_validation(valid, training, columns, warn)
    run = _Run(training, watched, keep, bool(resume), done, replaced, say)
    estimator, seconds = run.fit(recipe, fraction, bar)
    kept_model.save(estimator, model, training.data)
    Path(keep).unlink(missing_ok=True)

    opened = loaded_model.load(model)
    best = _best_epoch(estimator)
    history = {key: list(values) for key, values in estimator.network_.history.history.items()}
    picture = None
    if draw:
        at = plots.beside(model, "curves") if curves is None else Path(curves)
        picture = plots.draw(lambda to: _draw(history, best, to), at, curves is not None, warn)
    trained_on, source = training.data, valid
    held_out = estimator.validation_rows_ if estimator.early_stopping else None
    shared = training.shared_subject(held_out, watched)
    if shared is not None:
        warn(f"{path}: {shared}")
    if held_out is not None:
        trained_on, watched = training.taken(training.rest(held_out)), training.taken(held_out)
        source = "held out"
    return Trained(
        model=model,
        estimator=opened.kind,
        task=training.task,
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
        training=_scored(opened, trained_on),
        validation=None if watched is None else {"source": source, **_scored(opened, watched)},
        curves=picture,
        history=history,
    )


def _unfinished(keep: str, resume: bool | None) -> int:
    """Return the finished epochs of the run to continue; ValueError where a run would be overwritten."""
    done = 0 if resume is False else _epochs_in(keep)
    if resume is None and done:
        raise ValueError(
            f"{keep!r} holds an unfinished run of {files.plural(done, 'epoch')}: "
            f"--resume goes on with it, --restart begins anew"
        )
    return done


def _epochs_in(keep: str) -> int:
    """Return the number of finished epochs in a checkpoint, 0 without a checkpoint."""
    spec = checkpoint.peek(keep)
    return 0 if spec is None else integer("epoch", checkpoint.network_spec(spec, repr(keep)).get("epoch"))


@dataclass(frozen=True)
class _Run:
    """One training: its data, its checkpoint file, and whether a run in that file is continued."""

    training: TrainingData
    valid: Data | None  # the file of --valid
    keep: str
    resume: bool
    done: int  # finished epochs of the run that is continued
    replaced: str  # a note on the file of MODEL
    say: Say

    def fit(self, recipe: Recipe, fraction: float | None, bar: bool) -> tuple[Any, float]:
        """Return the fitted estimator and the seconds that it took."""
        share, why_none = 0.0 if fraction is None else fraction, ""
        if fraction is None and self.valid is None:
            share = self.training.default_share()
            why_none = "" if share else "too few"
        estimator = self._estimator(recipe, share, bar)
        start = perf_counter()
        try:
            self._fit(estimator, why_none)
        except ArgumentValueError as error:
            if error.argument != "early_stopping":
                raise
            needed = self.training.too_few(share)
            if fraction:
                count, path = len(self.training.data.X), self.training.data.path
                raise ArgumentValueError(
                    "--valid-fraction",
                    f"is {fraction}, but none of the {count} sequences of {path!r} can be spared: "
                    f"expected {needed} (0 holds nothing out)",
                ) from None
            estimator = self._estimator(recipe, 0.0, bar)
            self._fit(estimator, f"that needs {needed}")
        seconds = perf_counter() - start
        estimator.verbose = False  # the bar belongs to this run, not to the model
        return estimator, seconds

    def _estimator(self, recipe: Recipe, share: float, bar: bool) -> Any:
        data = self.training.data
        gaps = data.gaps or (self.valid is not None and self.valid.gaps)
        return recipes.estimator(recipe, self.training.task, data.labels(), gaps, share, bar)

    def _fit(self, estimator: Any, why_none: str) -> None:
        data = self.training.data
        validation = None if self.valid is None else (self.valid.X, self.valid.y)
        try:
            with option_names(), convergence.told(self._say_unfinished):
                estimator.fit(
                    data.X,
                    data.y,
                    validation_data=validation,
                    checkpoint=self.keep,
                    resume=self.resume,
                    on_start=lambda: self._begin(estimator, why_none),
                )
        except KeyboardInterrupt:
            done = _epochs_in(self.keep)
            if not done:
                raise
            raise KeyboardInterrupt(
                f"stopped after {files.plural(done, 'epoch')}; the same command with --resume goes on"
            ) from None

    def _say_unfinished(self, _: str) -> None:
        self.say("the loss was still falling when --epochs ended the training: more of them may help")

    def _begin(self, estimator: Any, why_none: str) -> None:
        """Say what is trained on: every option, the data and the checkpoint have been checked."""
        held_out = estimator.validation_rows_ if estimator.early_stopping else np.empty(0, np.int64)
        if not self.training.answers(self.training.rest(held_out)):
            raise ArgumentValueError("early_stopping", "leaves no answers to train on")
        if not self.resume:  # a kill in the first epoch must not leave an older run to be resumed
            Path(self.keep).unlink(missing_ok=True)
        notes = [announce(self.training, self.valid, len(held_out), why_none)]
        if self.resume:
            going_on = f"going on after epoch {self.done}"
            notes.append(going_on if self.done else f"there is no run in {self.keep}: beginning anew")
        if self.replaced:
            notes.append(self.replaced)
        self.say("\n".join(notes))


def _best_epoch(estimator: Any) -> int:
    """Return the epoch, from 1, whose weights the model has."""
    history = estimator.network_.history.history
    if "val_loss" not in history or not estimator.n_iter_:
        return int(estimator.n_iter_)
    pairs = zip(estimator.validation_scores_, history["val_loss"], strict=True)
    ranked = [(score, -loss) for score, loss in pairs]
    return ranked.index(max(ranked)) + 1


def _scored(model: loaded_model.LoadedModel, data: Data) -> dict[str, Any]:
    """Return sizes and scores of a model on a file with labels."""
    y = data.labels()
    answers = model.answers(data)
    flat = np.concatenate(answers) if isinstance(answers, list) else answers
    labels = np.concatenate(y) if isinstance(y, list) else y
    sizes: dict[str, Any] = {"sequences": len(data.X), "steps": data.steps}
    if model.classes is None:
        given = ~np.isnan(labels)
        found: dict[str, float] = scores.of_numbers(labels[given], flat[given, 0])
    else:
        given = ~data.missing(labels)
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
