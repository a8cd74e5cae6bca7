"""The examples in pages of docs run as they stand, in an empty folder, and print what the page says."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from elman import plotting
from elman.evaluation import event_scores
from helpers import pages, recordings


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Each page begins in an empty folder."""
    monkeypatch.chdir(tmp_path)


def text_blocks(page):
    return [block.text for block in pages.blocks(page) if block.language == "text"]


def test_every_page_with_python_is_run():
    """A page that is not among the tests here and of the README fails this one."""
    here = Path(__file__).read_text(encoding="utf-8")
    for path in pages.ROOT.glob("docs/*.md"):
        page = f"docs/{path.name}"
        if any(block.language == "python" for block in pages.blocks(page)):
            assert f'pages.run("{page}"' in here, page


def test_estimators():
    names = pages.run("docs/estimators.md")
    np.testing.assert_array_equal(names["several"][-1], names["p"])
    assert Path("model.elman").stat().st_size > 0 and Path("run.elman").stat().st_size > 0


def test_features():
    names = pages.run("docs/features.md")
    lengths = names["LineLength"](window=4).fit_transform([np.arange(8.0)])
    np.testing.assert_array_equal(lengths[0], [[1.0], [1.0]])


def test_files():
    """The page's own CSV is train.csv; ward.csv has the columns that the page names."""
    blocks = {block.language: block.text for block in reversed(pages.blocks("docs/files.md"))}
    Path("train.csv").write_text(blocks["csv"])
    Path("ward.csv").write_text("patient,t,heart_rate,pressure,state\nann,0,71,120,up\nann,1,70,118,up\n")
    names = pages.run("docs/files.md")
    assert [x.shape for x in names["X"]] == [(2, 2)] and names["y"].tolist() == ["up"]
    with np.load("train.npz") as saved:
        assert saved["values"].shape == (2, 2) and saved["offsets"].tolist() == [0, 2]


def test_recordings():
    pytest.importorskip("edfio")
    Path("bonn").mkdir()
    for letter in "ZNFS":
        recordings.bonn_zip(Path("bonn", f"{letter}.zip"), [f"{letter}001", f"{letter}002"])
    lines, _ = recordings.uci_table(2)
    Path("data.csv").write_text("\n".join(lines))
    noise = np.random.default_rng(0).normal(size=2560)
    notes = [(1.0, 2.0, "seizure"), (0.0, 5.0, "Sleep stage W"), (5.0, 4.0, "Sleep stage N2")]
    notes.append((9.0, 1.0, "Sleep stage R"))
    signals = [("EEG Fp1", 256, noise), ("EEG Fp2", 256, noise)]
    recordings.edf(Path("night.edf"), signals, notes)
    night = np.zeros((10, 100), int)
    stages = [(0.0, "Sleep stage W", 5), (5.0, "Sleep stage N2", 4), (9.0, "Sleep stage R", 1)]
    recordings.edf_plus(Path("stages.edf"), {}, stages, record=0, when="01.01.8500.00.00")
    Path("events.tsv").write_text("onset\tduration\ttrial_type\n1.0\t2.0\tseizure\n")
    Path("study").mkdir()
    files = [f"anna{i}_night{j}.edf" for i in range(4) for j in range(2)]
    for file in files:
        recordings.edf_plus(Path("study", file), {"EEG Fp1": night})
    rows = "".join(f"{file},anna{i // 2}\n" for i, file in enumerate(files))
    Path("subjects.csv").write_text(f"file,subject\n{rows}")
    names = pages.run("docs/recordings.md")
    assert names["info"].texts["Sleep stage W"] == 1 and names["info"].rates == (256.0, 256.0)
    assert names["description"].subjects == (
        "anna0",
        "anna0",
        "anna1",
        "anna1",
        "anna2",
        "anna2",
        "anna3",
        "anna3",
    )
    assert [len(test) for _, test in names["split"]] == [4, 4]
    for options in ({}, {"annotations": "stages.edf"}):
        _, y, _ = names["load_edf"]("night.edf", fs=100, labels=names["stages"], other="unknown", **options)
        assert y[0].tolist() == ["wake"] * 500 + ["sleep"] * 400 + ["dream"] * 100


def test_evaluation():
    names = pages.run("docs/evaluation.md")
    error = text_blocks("docs/evaluation.md")[0]
    assert len(names["cv"]) == 5 and len(names["chunks"].X) == 150
    assert names["faults"] == [(0, 0, 64, 256, "flat", "is flat")]
    assert names["after"].error < names["before"].error and names["calibrated"].temperature_ > 1
    by_rows = np.arange(150) % 2 == 1
    with pytest.raises(ValueError, match="is on both sides") as caught:
        names["check_no_leak"](~by_rows, by_rows, names["chunks"].groups)
    assert f"ValueError: {caught.value}\n" == error


def test_the_rules_of_events():
    """The table's arguments are the defaults of `event_scores`."""
    text = (pages.ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    table = text[text.index("| rule | argument |") : text.index("`before=0, ")]
    shown = {name: float(value) for name, value in re.findall(r"`(\w+)=(\d+)`", table)}
    defaults = inspect.signature(event_scores).parameters
    assert set(shown) == {"before", "after", "merge", "longest"}
    assert shown == {name: defaults[name].default for name in shown}


def test_eeg():
    """Its full figures are held by test_eeg_alarms.py, in `make prove`."""
    names = pages.run("docs/eeg.md")
    assert np.mean(names["scores"]) > 0.9 and np.mean(names["beside"]) > 0.8
    assert len(names["answers"]) == 1 + (names["window"] - 256) // 64
    assert 23.6 < names["raised"] < 40.0  # in the seizure, not before
    with np.load("recording.npz") as recording:
        assert recording["X"].shape == (2, 4097, 1)


def test_the_monitor_of_the_eeg_page_has_the_options_it_names():
    """The command's window, threshold and steps are those of the page's Python, whose figures are held."""
    (commands,) = (block.text for block in pages.blocks("docs/eeg.md") if block.language == "sh")
    python = "\n".join(block.text for block in pages.blocks("docs/eeg.md") if block.language == "python")
    seconds, steps = re.search(r"--alarm ictal --window (\d+) --on-steps (\d+)", commands).groups()
    assert f"window = round({seconds} * description.fs)" in python
    assert f"on=0.8, off=0.5, on_steps={steps})" in python  # the defaults of --on and --off


def test_monitor():
    """The alarm comes some seconds after the seizure, which begins after 23.6 s."""
    names = pages.run("docs/monitor.md")
    assert 24 < names["monitor"].alarms[0].start < 34
    assert names["monitor"].samples == 2 * 4097
    with np.load("recording.npz") as recording:
        assert recording["fs"] == names["monitor"].rate


def test_plotting():
    """Each picture that the page names is drawn, and every function of `plotting` is shown."""
    pytest.importorskip("matplotlib")
    pages.run("docs/plotting.md")
    text = (pages.ROOT / "docs" / "plotting.md").read_text(encoding="utf-8")
    assert {path.name for path in Path().iterdir()} == set(re.findall(r'"([a-z_]+\.png)"', text))
    assert all(f"plotting.{name}(" in text for name in plotting.__all__)


def test_reservoirs():
    names = pages.run("docs/reservoirs.md")
    assert names["features"].fit_transform(names["X"]).shape == (36, 4 * 8 * 8)
    assert np.mean(names["scores"]) > 0.9
    assert names["windowed"].score(names["X"], names["y"]) > 0.8
    assert names["answers"].shape == (len(names["X"][0]) // 64, 3)
