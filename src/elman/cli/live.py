"""`elman monitor` and `elman replay`: the two ends of a Lab Streaming Layer stream."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import typer

from elman.cli.console import note, say, silence
from elman.cli.json_output import document
from elman.cli.options import FileColumns, Json, with_file_columns

of_alarm = partial(typer.Option, rich_help_panel="Alarm")
of_stream = partial(typer.Option, rich_help_panel="Stream")


def monitor(
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="A saved model.")],
    lsl: Annotated[str, of_stream("--lsl", metavar="NAME", help="The stream's name.")],
    source: Annotated[
        str | None, of_stream(metavar="ID", help="Its source id, where several have that name.")
    ] = None,
    channels: Annotated[
        str | None, of_stream(metavar="A,B,...", help="Channels that are read, by name or number from 1.")
    ] = None,
    rate: Annotated[
        float | None, of_stream(metavar="HZ", help="The rate that is expected; another one is refused.")
    ] = None,
    wait: Annotated[
        float | None, of_stream(metavar="SECONDS", help="How long to look for it; not given: without limit.")
    ] = None,
    reset_after: Annotated[
        float, of_stream(metavar="SECONDS", help="A longer gap starts a new sequence.")
    ] = 1.0,
    window: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Answer for the last seconds only, not for all since the start."
        ),
    ] = None,
    alarm: Annotated[
        str | None, of_alarm(metavar="CLASS", help="The class (or value) that raises the alarm.")
    ] = None,
    on: Annotated[float | None, of_alarm(help="Raised at this probability.", show_default="0.8")] = None,
    off: Annotated[float | None, of_alarm(help="Ended below this one.", show_default="0.5")] = None,
    on_steps: Annotated[
        int | None, of_alarm(help="Raised by so many answers in a row.", show_default="1")
    ] = None,
    off_steps: Annotated[
        int | None, of_alarm(help="Ended by so many answers in a row.", show_default="1")
    ] = None,
    quality: Annotated[
        bool,
        of_stream("--quality/--no-quality", help="Compare the channels with the model's training data."),
    ] = True,
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after this time; not given: at Ctrl-C.")
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(metavar="OUT.csv", help="File for answers and events, written during the run."),
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing, only the result.")] = False,
) -> None:
    """Run a model on a Lab Streaming Layer stream: signal, probabilities, alarms."""
    from elman.cli import report
    from elman.cli.commands import monitor as job

    how = job.Watching(
        name=lsl,
        source=source,
        channels=None if channels is None else tuple(_names(channels)),
        rate=rate,
        alarm=alarm,
        on=on,
        off=off,
        on_steps=on_steps,
        off_steps=off_steps,
        window=window,
        reset_after=reset_after,
        seconds=seconds,
        wait=wait,
        csv=csv,
        quality=quality,
    )
    with _until_sigterm():
        seen = job.monitor(model, how, partial(_view, quiet, note if as_json else say))
    if as_json:
        document(seen)
    else:
        report.monitored(seen)


@contextlib.contextmanager
def _until_sigterm() -> Iterator[None]:
    """Treat SIGTERM, which ends a service, like Ctrl-C: the command ends with its summary."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt("by SIGTERM")

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # only the main thread has signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _view(quiet: bool, write: Callable[[str], None], seen: Any) -> Any:
    """Return the view of a run: a screen in a terminal with UTF-8, otherwise lines."""
    from rich.console import Console

    from elman.cli import monitor_view

    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
    if quiet:
        return monitor_view.Lines(seen, silence)
    if write is say and console.is_terminal and not console.is_dumb_terminal and console.encoding == "utf-8":
        return monitor_view.Screen(seen, console)
    return monitor_view.Lines(seen, write)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@with_file_columns
def replay(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A recording: .edf, .bdf, .csv, .parquet, .npz or .ts.")
    ],
    lsl: Annotated[str, typer.Option("--lsl", metavar="NAME", help="What the stream is called.")],
    rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Samples per second, if the file does not say it.")
    ] = None,
    speed: Annotated[float, typer.Option(help="How many times as fast as it was recorded.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    only: Annotated[
        str | None, typer.Option(metavar="ID", help="One sequence of the file, by id or number from 0.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Start when there is a reader, at the latest after this time."),
    ] = 0.0,
    seconds: Annotated[float | None, typer.Option(metavar="SECONDS", help="Stop after this time.")] = None,
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="The stream's content type.")] = "EEG",
    damaged: Annotated[
        str, typer.Option(metavar="refuse|read", help="read: a damaged EDF file up to the damage.")
    ] = "refuse",
    lan: Annotated[
        bool, typer.Option("--lan", help="Offer it to the whole network, not to this machine alone.")
    ] = False,
    columns: FileColumns = FileColumns(),  # noqa: B008 (frozen)
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Play a recording as a Lab Streaming Layer stream, for tests and demonstrations."""
    from elman.cli import report
    from elman.cli.commands import replay as job

    with _until_sigterm():
        played = job.replay(
            file,
            lsl,
            options=columns.given(),
            rate=rate,
            only=only,
            speed=speed,
            loop=loop,
            seconds=seconds,
            wait=wait,
            kind=kind,
            damaged=damaged,
            lan=lan,
            say=silence if quiet else note,
        )
    if as_json:
        document(played)
    else:
        report.replayed(played)
