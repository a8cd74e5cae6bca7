"""The entry point of ``elman`` on the command line; it works without typer and rich, to name the extra."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 only on success, 2 and one line for bad input."""
    if sys.stdout is None:  # it was closed before Python began
        _never_fail_to_print()
        return _fail("standard output is closed, expected a place for the answers (> /dev/null for none)")
    _never_fail_to_print()
    try:
        with _warnings_as_notes():
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt as stop:
        print(f"\nelman: {str(stop) or 'stopped'}", file=sys.stderr)
        return EXIT_INTERRUPTED


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Write a warning as one line: where in the code it arose says nothing to the user of a command."""
    before = warnings.showwarning

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"elman: {' '.join(str(message).split())}", file=sys.stderr)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _run(arguments: list[str]) -> int:
    try:
        from elman.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich", "click"}:
            raise
        return _fail(f'the command line needs {error.name}: pip install "elman[cli]"')
    except (ImportError, ValueError) as error:  # no native module, or an unknown ELMAN_ISA
        return _fail(str(error))
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has left. Python would complain once more when it closes the stream.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, MemoryError) as error:
        return _fail(_sentence(error))
    return code


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _fail(sentence: str) -> int:
    print(f"elman: {' '.join(sentence.split())}", file=sys.stderr)
    return EXIT_BAD_INPUT


def _never_fail_to_print() -> None:
    """Show a question mark for a character that the terminal's encoding lacks, not a traceback."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before Python began
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (until the end)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
