"""The commands of ``elman``, as a typer application. Only ``cli.main`` imports this module."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import rich  # noqa: F401  (typer draws its help with it; wanted here so that a missing one is said at once)
import typer

from elman import demos

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
def demo(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Which one: {NAMES}.")],
    plot_dir: Annotated[Path, typer.Option(help="Folder for the pictures; made where it is missing.")] = Path(
        "elman-demo"
    ),
    interactive: Annotated[
        bool, typer.Option("--interactive", help="letters only: asks for letters and answers them.")
    ] = False,
) -> None:
    """Run the systems of the five articles and a real data set."""
    if name != "all":
        demos.get(name)  # an unknown name is said before a folder is made
    if interactive and name != "letters":
        raise ValueError(f"--interactive belongs to the demo letters, not to {name}")
    folder = demos.prepare(plot_dir)
    if interactive:
        from elman.demos import letters

        result, _ = letters.DEMO.play(_say, folder)
        letters.chat(result.net, input, _say)
        return
    demos.play(demos.NAMES if name == "all" else (name,), _say, folder)


@app.command()
def info() -> None:
    """Version, instruction set, CPUs and what is installed."""
    from elman.info import report

    _say(report())


def _say(text: str) -> None:
    # Not typer.echo, which writes UTF-8 to a terminal that reads ASCII. Flushed: a reader sees it at once.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(arguments: list[str]) -> int:
    """Run a command; what typer objects to becomes a ValueError of one sentence instead of a box."""
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="elman", standalone_mode=False)
    except Exception as error:
        # Typer brings its own click or uses the installed one, by version; usage errors of both can do this.
        if not hasattr(error, "format_message"):
            if type(error).__name__ == "Abort":
                raise KeyboardInterrupt from None
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            _say(error.format_message())
            return 2
        raise ValueError(error.format_message()) from None
    return code if isinstance(code, int) else 0
