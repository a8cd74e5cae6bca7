"""The command line: exit codes, one line for every error, and what is said of what is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from elman import demos
from elman.cli.main import main
from helpers import support
from helpers.processes import elman, one_line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["demo", "frogs"],
            "there is no demo 'frogs', expected one of points, gradient, adder, letters, digits, eeg",
        ),
        (["demo"], "Missing argument 'NAME'"),
        (["frogs"], "No such command 'frogs'"),
        (["demo", "letters", "--frogs"], "No such option: --frogs"),
        (["demo", "adder", "--interactive"], "--interactive belongs to the demo letters, not to adder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, sentence, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in one_line(captured.err)


def test_a_folder_that_is_a_file(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    file = tmp_path / "pictures"
    file.write_text("mine")
    for folder in (file, file / "below"):
        assert main(["demo", "letters", "--plot-dir", str(folder)]) == 2
        assert str(folder) in one_line(capsys.readouterr().err)
    assert file.read_text() == "mine"


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"]])
def test_help(arguments, capsys):
    assert main(arguments) == 0
    assert "demo" in capsys.readouterr().out


def test_letters_saves_its_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "a" / "b"
    assert main(["demo", "letters", "--plot-dir", str(folder)]) == 0
    assert [path.name for path in folder.iterdir()] == ["letters.png"]
    out = capsys.readouterr().out
    assert "Accuracy after 100 epochs: 1.0" in out
    assert "a——>b" in out
    assert str(folder / "letters.png") in out


def test_interactive_letters(tmp_path):
    result = elman(
        "demo", "letters", "--interactive", "--plot-dir", str(tmp_path), stdin="three\n3\na\nz\ne\nc\n"
    )
    assert result.returncode == 0
    assert result.stderr == ""
    talk = result.stdout[result.stdout.index("input the number of test alphabet:") :]
    assert "'three' is not a whole number" in talk
    assert "'z' is not one of the letters a, b, c, d, e" in talk
    assert [talk.index(pair) for pair in ("a——>b", "e——>a", "c——>d")] == sorted(
        talk.index(pair) for pair in ("a——>b", "e——>a", "c——>d")
    )


def test_interactive_letters_survives_the_end_of_its_input(tmp_path):
    result = elman("demo", "letters", "--interactive", "--plot-dir", str(tmp_path), stdin="3\na\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert "No more input" in result.stdout


def test_a_terminal_without_the_long_dash(tmp_path):
    result = elman("demo", "letters", "--plot-dir", str(tmp_path), encoding="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert "a??>b" in result.stdout


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_line_says_which(missing):
    result = elman("demo", "letters", without=(missing,))
    assert result.returncode == 2
    assert result.stdout == ""
    assert 'pip install "elman[cli]"' in one_line(result.stderr)
    assert missing in result.stderr


def test_without_matplotlib_the_demos_run_and_say_that_they_drew_nothing(tmp_path):
    result = elman("demo", "letters", without=("matplotlib",), cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert 'Nothing was drawn: matplotlib is not installed (pip install "elman[plot]")' in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_info(capsys):
    assert main(["info"]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    for name in ("elman", "CPUs", "threads", "Python", "numpy", "scikit-learn", "typer", "matplotlib"):
        assert told[name].strip(), name


def test_info_says_which_instruction_set_and_where_the_module_is(capsys, available_isas):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "_core" in out
    for isa in available_isas:
        assert isa in out


def test_all_ends_with_the_closing_table(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["demo", "all", "--plot-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    table = out[out.rindex("  demo ") :].splitlines()
    assert table[0].split() == ["demo", "system", "article", "result", "seconds"]
    assert [line.split()[0] for line in table[2:-1]] == list(demos.NAMES)
    assert {path.name for path in tmp_path.iterdir()} == {
        "points.png",
        "gradient.png",
        "adder.png",
        "letters.png",
        "digits_confusion.png",
        "digits_reading.png",
        "eeg_confusion_roc.png",
        "eeg_seizure.png",
        "anaesthesia_operation.png",
        "anaesthesia_errors.png",
    }


@pytest.mark.prove
@pytest.mark.skipif(support.fraction() > 1, reason="a time: only the whole proofs measure it")
def test_all_takes_less_than_half_a_minute(tmp_path):
    outcomes = demos.play(demos.NAMES, lambda _: None, demos.prepare(tmp_path), quick=True)
    assert sum(outcome.seconds for outcome in outcomes) < 30


def test_python_dash_m():
    result = subprocess.run(
        [sys.executable, "-m", "elman", "demo", "frogs"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 2
    assert "frogs" in one_line(result.stderr)


def test_a_reader_that_stops_early_is_no_error_message(tmp_path):
    code = "import sys; from elman.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "demo", "letters", "--plot-dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=120)
