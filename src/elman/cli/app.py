"""The commands of ``elman``, as a typer application. Only ``cli.main`` imports this module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from elman import demos
from elman.cli import live
from elman.cli.commands.option_names import option
from elman.cli.console import note, say, silence
from elman.cli.json_output import document
from elman.cli.options import FileColumns, Json, Model, of_network, of_training, with_file_columns
from elman.errors import ArgumentValueError

app = typer.Typer(
    name="elman",
    help="Recurrent networks on sequences: train, check, watch and run them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

NAMES = " | ".join((*demos.NAMES, "all"))


@app.callback()
def _group() -> None:
    """Recurrent networks on sequences: train, check, watch and run them."""


@app.command()
@with_file_columns
def train(
    file: Annotated[str, typer.Argument(metavar="TRAIN", help=".csv, .parquet, .npz or .ts, with labels.")],
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Where the model is saved.")],
    valid: Annotated[
        str | None, typer.Option("--valid", metavar="FILE", help="Labeled file that early stopping watches.")
    ] = None,
    fraction: Annotated[
        float | None,
        typer.Option(
            "--valid-fraction",
            metavar="SHARE",
            help="Or that share of TRAIN (0: nothing). Not given: 0.1, if that has ten labels or more.",
        ),
    ] = None,
    task: Annotated[
        str,
        typer.Option(metavar="auto|classify|tag|regress", help="auto: chosen by the labels."),
    ] = "auto",
    columns: FileColumns = FileColumns(),  # noqa: B008 (frozen)
    cell: Annotated[str, of_network(metavar="rnn|gru|lstm", help="The kind of recurrent layer.")] = "rnn",
    hidden: Annotated[
        str, of_network(metavar="N,N,...", help="Units of each recurrent layer, from the input upwards.")
    ] = "64",
    activation: Annotated[
        str, of_network(metavar="tanh|relu|sigmoid|identity", help="Activation of the layers of cell rnn.")
    ] = "tanh",
    bidirectional: Annotated[
        bool, of_network("--bidirectional", help="Read every sequence from both ends.")
    ] = False,
    pooling: Annotated[
        str, of_network(metavar="last|mean|max", help="What the output of a sequence is computed from.")
    ] = "last",
    epochs: Annotated[int, of_training(help="Passes over the data, at most.")] = 200,
    batch_size: Annotated[int, of_training(help="Sequences per update.")] = 32,
    rate: Annotated[float, of_training(help="The learning rate of Adam.")] = 1e-3,
    schedule: Annotated[
        str, of_training(metavar="constant|cosine|onecycle", help="How the rate changes.")
    ] = "constant",
    noise: Annotated[float, of_training(help="Standard deviation of noise on the standardized input.")] = 0.0,
    dropout: Annotated[float, of_training(help="Share of hidden units that are dropped.")] = 0.0,
    alpha: Annotated[float, of_training(help="Weight of the squared weights in the loss.")] = 0.0,
    clip_norm: Annotated[float, of_training(help="The largest norm of a gradient; 0: no limit.")] = 1.0,
    truncation: Annotated[
        int | None, of_training(help="Truncated backpropagation, in chunks of this many steps.")
    ] = None,
    patience: Annotated[int, of_training(help="Epochs without improvement that end the training.")] = 10,
    balanced: Annotated[bool, of_training("--balanced", help="Weigh all classes equally.")] = False,
    seed: Annotated[int, of_training(help="Seed of everything random.")] = 0,
    threads: Annotated[int | None, of_training(help="Not given: the CPUs of this process.")] = None,
    dtype: Annotated[str, of_network(metavar="float32|float64", help="Precision.")] = "float32",
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--restart", help="Continue an interrupted run, or discard it."),
    ] = None,
    curves: Annotated[
        str | None, typer.Option(metavar="PATH", help="Training curves: .png, .svg or .pdf.")
    ] = None,
    no_curves: Annotated[bool, typer.Option("--no-curves", help="Draw nothing.")] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Train a network on a file of labeled sequences, and save it."""
    from elman.cli import report
    from elman.cli.commands.hyperparameters import Recipe
    from elman.cli.commands.train import train as run_training

    recipe = Recipe(
        cell=cell,
        hidden=_units(hidden),
        activation=activation,
        bidirectional=bidirectional,
        pooling=pooling,
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
        schedule=schedule,
        noise=noise,
        dropout=dropout,
        alpha=alpha,
        clip_norm=clip_norm,
        truncation=truncation,
        patience=patience,
        balanced=balanced,
        seed=seed,
        threads=threads,
        dtype=dtype,
    )
    done = run_training(
        file,
        model,
        recipe,
        columns=columns.given(),
        task=task,
        valid=valid,
        fraction=fraction,
        resume=resume,
        curves=curves,
        draw=not no_curves,
        bar=not quiet,
        say=silence if quiet else note,
        warn=note,
    )
    if as_json:
        document(done)
    else:
        report.trained(done)


def _units(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentValueError("--hidden", f"is {text!r}", "numbers of units such as 64 or 64,32") from None


@app.command()
@with_file_columns
def predict(
    model: Model,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Sequences; with --stream: -")],
    out: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT.csv", help="Not given, or -: standard output.")
    ] = "-",
    stream: Annotated[
        bool, typer.Option("--stream", help="Answer each line of standard input, one step, at once.")
    ] = False,
    columns: FileColumns = FileColumns(),  # noqa: B008 (frozen)
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document, or with --stream one per line.")
    ] = False,
) -> None:
    """Predict classes and their probabilities, or numbers, as CSV."""
    from elman.cli.commands import predict as job

    if stream:
        _stream(model, file, out, columns.given(), as_json)
        return
    if file == "-":
        raise ArgumentValueError(
            "FILE", "is '-', standard input, which is read with --stream only: expected a file"
        )
    written = None if out == "-" else out
    found = job.predict(file, model, options=columns.given(), out=written, say=note)
    if written is not None:
        job.write(found, written)
        note(f"{written}: answers to {len(found.ids)} sequences")
    if as_json:
        document({**found.document(), "output": written})
    elif written is None:
        _into_utf8()
        for piece in found.csv():
            sys.stdout.write(piece)


def _stream(model: str, file: str, out: str, columns: dict[str, Any], as_json: bool) -> None:
    from elman.cli.commands import loaded_model
    from elman.cli.commands import stream as job

    if file != "-":
        raise ArgumentValueError("FILE", f"is {file!r}", "- (standard input) with --stream")
    if out != "-" or columns:
        given = "--output" if out != "-" else option(next(iter(columns)))
        raise ArgumentValueError(
            given, "is given with --stream, which reads lines of numbers and answers on standard output"
        )
    if sys.stdin is None:
        raise ValueError("standard input is closed, expected one step a line")
    opened = loaded_model.load(model)
    _into_utf8()
    for answer in job.answers(opened, _lines(), as_json):
        say(answer)


def _lines() -> Iterator[bytes]:
    """Yield each line of standard input as soon as it is complete."""
    return iter(sys.stdin.buffer.readline, b"")


def _into_utf8() -> None:
    """Write UTF-8 to a pipe or a file, whatever the terminal's encoding: a label must not become a '?'."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and not sys.stdout.isatty():
        reconfigure(encoding="utf-8", newline="\n")


@app.command()
@with_file_columns
def evaluate(
    model: Model,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Sequences with labels.")],
    columns: FileColumns = FileColumns(),  # noqa: B008 (frozen)
    picture: Annotated[
        str | None, typer.Option(metavar="PATH", help="The confusion matrix: .png, .svg or .pdf.")
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Draw nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Compare a model's predictions with the labels of a file."""
    from elman.cli import report
    from elman.cli.commands.evaluate import evaluate as run_evaluation

    found = run_evaluation(
        file, model, columns=columns.given(), picture=picture, draw=not no_picture, warn=note
    )
    if as_json:
        document(found.document())
    else:
        report.evaluated(found)


@app.command()
@with_file_columns
def check(
    model: Model,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", show_default=False, help="Sequences; not given: random ones."),
    ] = None,
    entries: Annotated[int, typer.Option(help="Parameters that are checked, at most.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    columns: FileColumns = FileColumns(),  # noqa: B008 (frozen)
    as_json: Json = False,
) -> int:
    """Check the gradients of a saved network against differences of its loss."""
    from elman.cli import report
    from elman.cli.commands.check import check as run_check

    checked = run_check(model, file, columns=columns.given(), entries=entries, seed=seed, say=note)
    if as_json:
        document(checked)
    else:
        report.checked(checked)
    return 0 if checked.ok else 1


app.command()(live.monitor)
app.command()(live.replay)


@app.command()
def demo(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Which one: {NAMES}.")],
    plot_dir: Annotated[Path, typer.Option(help="Folder for the pictures; created if it is missing.")] = Path(
        "elman-demo"
    ),
    interactive: Annotated[
        bool, typer.Option("--interactive", help="letters only: ask for letters and predict the next ones.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="eeg: the Bonn files; anaesthesia: a file or folder of recordings.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small size, for the demos that have one.")
    ] = False,
) -> None:
    """Run the systems of the five articles, a real data set and EEG."""
    if name != "all":
        demos.get(name, data)  # refuse an unknown name before a folder is made
    elif data is not None:
        raise ArgumentValueError("--data", "belongs to one demo, not to all")
    if interactive and name != "letters":
        raise ArgumentValueError("--interactive", f"belongs to the demo letters, not to {name}")
    folder = demos.prepare(plot_dir)
    if interactive:
        from elman.demos import letters

        result, _ = letters.DEMO.play(say, folder)
        letters.chat(result.net, input, say)
        return
    demos.play(demos.NAMES if name == "all" else (name,), say, folder, data=data, quick=quick)


@app.command()
def info(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", show_default=False, help="A saved model, or a recording: .edf or .bdf."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Version, instruction set, CPUs and what is installed; or what is in a model or a recording."""
    from elman.cli import info
    from elman.cli.commands import edf_info, model_info
    from elman.reading import ENDINGS

    if path is None:
        document(info.facts()) if as_json else say(info.report())
        return
    if edf_info.is_recording(path):
        recording = edf_info.info(path)
        document(edf_info.document(recording)) if as_json else edf_info.show(recording)
        return
    if Path(path).suffix.lower() in ENDINGS:
        raise ValueError(f"{path!r} is neither a model of elman nor an EDF or BDF file")
    model = model_info.describe(path)
    document(model) if as_json else model_info.show(model)


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code; errors of typer become a ValueError of one sentence.

    Typer's own main is not used: it hides the message of a KeyboardInterrupt, and it ends the process when a
    pipe is closed.
    """
    command: Any = typer.main.get_command(app)
    try:
        with command.make_context("elman", list(arguments)) as context:  # which empties the list
            code = command.invoke(context)
    except Exception as error:
        # Depending on its version, typer has its own click or uses the installed one: compare names.
        if type(error).__name__ == "Exit":
            shown = int(getattr(error, "exit_code", 0))
            return shown if arguments else 2  # older clicks show the help and exit with 0
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            say(error.format_message())
            return 2
        raise ValueError(error.format_message()) from None
    return code if isinstance(code, int) else 0
