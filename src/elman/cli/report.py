"""The results of the commands as text for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from elman.cli.commands.data import plural
from elman.cli.commands.evaluate import EvaluatedClasses, EvaluatedNumbers
from elman.cli.console import say, shown, table

if TYPE_CHECKING:
    from elman.cli.commands.check import Checked
    from elman.cli.commands.monitor import Monitored
    from elman.cli.commands.replay import Replayed
    from elman.cli.commands.train import Trained

_SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "r2": "R2",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
}
_MOST = 10  # confusions that are listed where the matrix is too wide
_LONGEST = 28  # letters of a class name in a table


def trained(run: Trained) -> None:
    """Write the scores of a trained model, and where it is."""
    columns: dict[str, dict[str, Any]] = {"training": run.training}
    if run.validation is not None:
        columns["held out" if run.validation["source"] == "held out" else "validation"] = run.validation
    rows = [("sequences", "sequences"), *_SCORES.items()]
    say("")
    table(
        ["", *columns],
        [
            [title, *(_number(column[key]) for column in columns.values())]
            for key, title in rows
            if key in run.training
        ],
    )
    say("")
    features = plural(run.features, "feature")
    classes = "" if run.classes is None else f", {len(run.classes)} classes"
    kept = "" if run.best_epoch == run.epochs else f", the weights are those of epoch {run.best_epoch}"
    say(f"epochs  {run.epochs}{kept}; {run.seconds:.1f} s")
    say(f"model   {run.model}: {run.estimator}, {features}{classes}, {run.parameters:,} parameters")
    if run.curves is not None:
        say(f"curves  {run.curves}")


def _number(value: Any) -> Any:
    """Return a score for a cell; an error of numbers may be very large or small."""
    return f"{value:.4g}" if isinstance(value, float) and not 1e-3 <= abs(value) < 1e4 and value else value


def evaluated(found: EvaluatedClasses | EvaluatedNumbers) -> None:
    """Write the scores of a model on a file."""
    say(f"{found.file}: {found.sequences} sequences, {found.steps} steps; {found.model} ({found.estimator})")
    if found.missing:
        say(f"{found.missing} steps without a label are left out")
    if isinstance(found, EvaluatedNumbers):
        _numbers(found)
    else:
        _classes(found)


def _numbers(found: EvaluatedNumbers) -> None:
    for key, score in (("r2", found.r2), ("mae", found.mae), ("rmse", found.rmse)):
        say(f"{_SCORES[key]:<24} {shown(_number(score))}")


def _classes(found: EvaluatedClasses) -> None:
    _unknown(found)
    right = sum(row[i] for i, row in enumerate(found.confusion))
    say(f"accuracy           {found.accuracy:.4f} ({right} of {found.answers} right)")
    say(f"balanced accuracy  {found.balanced_accuracy:.4f}\n")
    keys = ("precision", "recall", "f1", "support")
    table(
        ["class", "precision", "recall", "F1", "support"],
        [[_name(each["label"]), *(each[key] for key in keys)] for each in found.by_class],
    )
    say("")
    _confusion(found)
    if found.picture is not None:
        say(f"\npicture  {found.picture}")


def _unknown(found: EvaluatedClasses) -> None:
    if found.unknown:
        count = sum(each["support"] for each in found.by_class[-len(found.unknown) :])
        names = ", ".join(map(repr, found.unknown[:5])) + (", ..." if len(found.unknown) > 5 else "")
        say(f"{count} answers count as wrong: the model has no class {names}")


def _confusion(found: EvaluatedClasses) -> None:
    """Write the confusion matrix, or the most frequent confusions if the matrix is too wide."""
    names = [_name(label) for label in found.labels]
    rows = [
        [name, *(count or "." for count in row)] for name, row in zip(names, found.confusion, strict=True)
    ]
    if table(["expected / predicted", *names], rows):
        return
    pairs = [
        (count, names[i], names[j])
        for i, row in enumerate(found.confusion)
        for j, count in enumerate(row)
        if count and i != j
    ]
    pairs.sort(key=lambda pair: -pair[0])
    say(f"The most frequent of {len(pairs)} confusions (--json and the picture have them all):\n")
    table(["expected", "predicted", "times"], [[b, c, a] for a, b, c in pairs[:_MOST]], words=(0, 1))


def _name(label: Any) -> str:
    """Return a class name, without its middle if it is too long for a table."""
    text = shown(str(label))
    half = (_LONGEST - 3) // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}...{text[-half:]}"


def checked(report: Checked) -> None:
    """Write whether the gradients of a network are right."""
    say(f"{report.model}: {report.parameters:,} parameters, on {report.data}")
    if not report.ok:
        for row in report.worst:
            place = ",".join(map(str, row["index"]))
            say(f"  {row['name']}[{place}]: expected {row['expected']:.6g} actual {row['actual']:.6g}")
    verdict = "ok" if report.ok else "NOT ok"
    say(
        f"{verdict}: {report.entries} entries compared, {report.skipped} skipped (kinks), "
        f"largest relative error {report.largest_relative_error:.2e}"
    )


def monitored(seen: Monitored) -> None:
    """Write the counts, alarms and latencies of a monitored stream."""
    say("")
    times = "" if seen.connections == 1 else f", found {seen.connections} times"
    say(f"stream   {seen.stream}{times}; ended {seen.ended}")
    often = f", and {plural(seen.losses, 'time')} without a gap" if seen.losses else ""
    lost = f"{seen.lost} lost in {plural(seen.gaps, 'gap')}{often}"
    say(f"samples  {seen.samples}; {lost}, {plural(seen.missing, 'value')} missing")
    left = f", {plural(seen.left_out, 'sample')} left out" if seen.left_out else ""
    again = f", {plural(seen.resets, 'new sequence')} begun" if seen.resets else ""
    unsure = f", {seen.unreliable} of them unreliable" if seen.unreliable else ""
    say(f"answers  {seen.answers}{unsure}{left}{again}")
    if seen.alarm is not None:
        say(f"alarms   {len(seen.alarms)} of {shown(seen.alarm)}")
        for one in seen.alarms[-_MOST:]:
            until = "still on" if one["end"] is None else f"to {one['end']}"
            say(f"         {one['start']} {until}, peak {one['peak']:.3g}")
    if not math.isnan(seen.latency["max"]):
        median, high, largest = (f"{seen.latency[key] * 1000:.1f} ms" for key in ("median", "p95", "max"))
        say(f"latency  median {median}, 95 % within {high}, largest {largest}")
    if seen.csv is not None:
        say(f"csv      {seen.csv}")


def replayed(played: Replayed) -> None:
    """Write what was played."""
    length = f"{played.samples} samples, {played.seconds:.1f} s of {played.file}"
    say(f"{played.stream}: {length}, ended {played.ended}")
