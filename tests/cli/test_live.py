"""elman replay and elman monitor, the one in a process, the other in another, and a stream between them."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

import elman
from elman.cli.commands import loaded_model
from elman.cli.commands import monitor as jobs
from elman.cli.monitor_csv import Record
from elman.monitoring.description import Description
from helpers import lsl, recordings
from helpers.command_files import command, process
from helpers.processes import elman as elman_without
from helpers.processes import one_line

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

RATE = 200.0
PATIENCE = 240  # s: the machine may be busy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of two channels, and a recording as it was and with what goes wrong."""
    folder = tmp_path_factory.mktemp("live")
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(60, 2)) + (i % 2) for i in range(8)]
    y = [np.full(60, ("rest", "seizure")[i % 2]) for i in range(8)]
    elman.RNNTagger(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(X, y).save(folder / "m.elman")
    signal = np.concatenate(X * 3).astype(np.float32)
    np.savez(folder / "eeg.npz", X=signal[None], fs=RATE)
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return lsl.set_up(tmp_path_factory.mktemp("lsl"))


@pytest.fixture
def start(folder, network, monkeypatch):
    """Start a command; whatever still runs at the end is killed."""
    monkeypatch.setenv("LSLAPICFG", network)
    # Where the tests run in the background of a shell, their children would never hear of Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    children = []

    def started(*arguments, cwd=folder):
        children.append(process(*arguments, cwd=cwd))
        return children[-1]

    yield started
    signal.signal(signal.SIGINT, before)
    for child in children:
        child.kill()
        child.communicate()


def rows(path):
    """The rows of a CSV that is being written, without the last one, which may not be whole."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if line.endswith("\n")))


def answers(table):
    return [row for row in table if not row["event"]]


def wait_for(what, *children):
    deadline = time.monotonic() + PATIENCE
    while not what():
        for child in children:
            assert child.poll() is None, child.communicate()
        if time.monotonic() > deadline:
            for child in children:
                child.kill()
            pytest.fail(f"nothing in {PATIENCE} s: {[child.communicate() for child in children]}")
        time.sleep(0.05)


def finish(child, code=0):
    """The JSON document of a command that ends by itself, or by Ctrl-C."""
    out, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == code, err.decode()
    return json.loads(out), err.decode()


def probabilities(table):
    return np.array([[float(row["p_rest"]), float(row["p_seizure"])] for row in table])


def expected(folder, samples):
    return elman.load(folder / "m.elman").predict_proba([samples])[0]


def recording(folder):
    with np.load(folder / "eeg.npz") as archive:
        return archive["X"][0].astype(float)


def test_every_sample_of_a_replay_is_answered(folder, start):
    samples = recording(folder)
    count = len(samples)
    out = folder / "out.csv"
    alarm = ("--alarm", "seizure", "--on", 0.6, "--off", 0.4)
    watch = start("monitor", "--model", "m.elman", "--lsl", "it's", *alarm, "--csv", out.name, "--json")
    play = start("replay", "eeg.npz", "--lsl", "it's", "--speed", 4, "--wait", PATIENCE, "--json")
    played, _ = finish(play)
    assert (played["samples"], played["ended"]) == (count, "at its end")
    wait_for(lambda: len(answers(rows(out))) >= count, watch)
    watch.send_signal(signal.SIGINT)
    seen, said = finish(watch)
    table = rows(out)
    assert [int(row["sample"]) for row in answers(table)] == list(range(1, count + 1))
    np.testing.assert_allclose(probabilities(answers(table)), expected(folder, samples), atol=1e-6)
    assert (seen["samples"], seen["answers"], seen["lost"], seen["gaps"]) == (count, count, 0, 0)
    assert (seen["rate"], seen["speed"], seen["connections"]) == (RATE, 4.0, 1)
    assert seen["ended"] == "by Ctrl-C"
    assert 0 < seen["latency"]["median"] <= seen["latency"]["p95"] <= seen["latency"]["max"] < PATIENCE
    late = [float(row["latency"]) for row in answers(table)]
    assert np.median(late) == pytest.approx(seen["latency"]["median"], rel=0.02)
    on = np.array([row["alarm"] for row in answers(table)])
    assert len(seen["alarms"]) == (np.diff(on == "1", prepend=False) & (on == "1")).sum() > 0
    assert "reading: it's from" in said
    assert "alarm: seizure" in said


def test_a_stream_that_is_killed_and_restarted_is_picked_up_again(folder, start):
    """Both replays go on until they are killed: however late the monitor is, the stream is still there."""
    samples = recording(folder)
    out = folder / "again.csv"
    # Any gap begins a new sequence here: how long it is, hangs on how fast the second replay starts.
    watch = start(
        "monitor", "--model", "m.elman", "--lsl", "eeg", "--reset-after", 0.1, "--csv", out.name, "--json"
    )
    play = start("replay", "eeg.npz", "--lsl", "eeg", "--loop", "--wait", PATIENCE)
    wait_for(lambda: len(answers(rows(out))) >= 100, watch, play)
    play.kill()
    play.wait()
    again = start("replay", "eeg.npz", "--lsl", "eeg", "--loop", "--wait", PATIENCE)

    def after():
        table = rows(out)
        gap = next((i for i, row in enumerate(table) if row["event"]), len(table))
        return table[gap + 1 :]

    wait_for(lambda: len(after()) >= 200, watch, again)
    watch.send_signal(signal.SIGINT)
    seen, said = finish(watch)
    assert again.poll() is None
    (gap,) = (row["event"] for row in rows(out) if row["event"])
    assert gap.startswith("gap: a gap of ")
    assert gap.endswith("a new sequence begins")
    assert (seen["connections"], seen["gaps"], seen["resets"]) == (2, 1, 1)
    assert seen["lost"] > 0
    assert "is lost; looking for it" in said
    assert "found again: eeg from" in said
    table = after()
    sent = np.resize(samples, (len(table), samples.shape[1]))  # again and again
    np.testing.assert_allclose(probabilities(table), expected(folder, sent), atol=1e-6)


def test_what_came_before_a_stream_was_lost_is_kept():
    pytest.importorskip("pylsl", exc_type=ImportError)
    from elman.monitoring import lsl as streams

    class Cut:
        """An inlet that is cut off within the second pull."""

        def __init__(self):
            self.left = [[1.0, 2.0]]

        def pull_sample(self, _):
            if not self.left:
                raise streams.LostError
            return self.left.pop(), 5.0

        def pull_chunk(self, *_):
            raise streams.LostError

        def time_correction(self, _):
            raise streams.LostError

    said = []
    source = streams.Source("cut", None, lambda _: None, said.append)
    source._inlet, source._buffer = Cut(), np.empty((1024, 2))
    chunk = source.pull(0.0)
    assert (chunk.samples.tolist(), chunk.stamps.tolist(), said) == ([[1.0, 2.0]], [5.0], [])
    assert source.pull(0.0) is None
    assert said == ["stream 'cut' is lost; looking for it"]
    assert not source.connected


def test_a_killed_monitor_has_written_what_it_answered(folder, start):
    out = folder / "killed.csv"
    watch = start("monitor", "--model", "m.elman", "--lsl", "long", "--csv", out.name, "--quiet")
    start("replay", "eeg.npz", "--lsl", "long", "--loop", "--wait", PATIENCE)
    wait_for(lambda: len(answers(rows(out))) >= 300, watch)
    watch.kill()
    watch.wait()
    table = answers(rows(out))
    assert [int(row["sample"]) for row in table] == list(range(1, len(table) + 1))


def test_a_stream_that_does_not_fit_or_is_not_there_is_said_in_one_sentence(folder, start):
    start("replay", "eeg.npz", "--lsl", "two", "--loop")
    fast = start("monitor", "-m", "m.elman", "--lsl", "two", "--rate", 250)
    none = start("monitor", "-m", "m.elman", "--lsl", "three", "--wait", 1)
    for child, words in [
        (fast, "the stream 'two' has 200 Hz, expected 250 Hz"),
        (none, "no stream 'three' was found in 1 s: is it running, in this network?"),
    ]:
        _, err = child.communicate(timeout=PATIENCE)
        assert (child.returncode, err.decode()) == (2, f"elman: {words}\n")


STREAM = Description("amp", "id", "host", "EEG", 2000.0, ("Fp1", "Cz", "O1"), speed=10.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "the stream 'amp' has 3 channels (Fp1, Cz, O1), expected 2, as"),
        ({"channels": ("Cz",)}, "(Fp1, Cz, O1), of which --channels chooses 1, expected 2, as"),
        ({"channels": ("Cz", "Pz")}, "--channels names 'Pz', but the stream 'amp' has Fp1, Cz, O1"),
        ({"channels": ("O1", "4")}, "--channels names '4', but the stream 'amp' has Fp1, Cz, O1"),
        ({"channels": ("O1", "2"), "rate": 250.0}, "the stream 'amp' has 200 Hz, expected 250 Hz"),
        ({"channels": ("O1", "2"), "rate": 200.5}, None),
    ],
)
def test_a_stream_is_compared_with_the_model(folder, options, sentence):
    run = jobs._Run(loaded_model.load(str(folder / "m.elman")), jobs.Watching("amp", **options))
    if sentence is None:
        run.check(STREAM)
        assert jobs._picked(STREAM, options["channels"]) == [2, 1]
        return
    with pytest.raises(ValueError, match=re.escape(sentence)):
        run.check(STREAM)


class Scripted:
    """A source that is there, gives its chunks, and is then interrupted."""

    description, connected, connections = STREAM, True, 1

    def __init__(self, chunks):
        self.chunks = iter(chunks)

    def pull(self, timeout):
        for chunk in self.chunks:
            return chunk
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def pipeline(folder):
    from sklearn.pipeline import make_pipeline

    from elman.features import FillMissing, LogSpectrum

    X = [np.random.default_rng(i).normal(size=(300, 1)) for i in range(6)]
    model = make_pipeline(
        FillMissing(), LogSpectrum(fs=200.0, window=64, hop=16), elman.RNNClassifier((4,), max_iter=1)
    ).fit(X, ["healthy", "ictal"] * 3)
    elman.save(model, folder / "spectra.elman")
    return model


def test_a_pipeline_is_streamed_and_says_which_rate_it_needs(folder, pipeline, monkeypatch):
    monkeypatch.chdir(folder)
    run = jobs._Run(loaded_model.load("spectra.elman"), jobs.Watching("amp", channels=("Cz",)))
    with pytest.raises(ValueError, match="the stream 'amp' has 150 Hz, expected 200 Hz"):
        run.check(dataclasses.replace(STREAM, rate=1500.0))
    run.record = Record("spectra.csv", ["label", "p_healthy", "p_ictal"])
    samples = np.random.default_rng(9).normal(size=(500, 3))
    samples[100:150, 1] = np.nan
    stamps = 100.0 + np.arange(500) / 2000.0
    parts = zip(np.split(samples, [1, 333]), np.split(stamps, [1, 333]), strict=True)
    chunks = [SimpleNamespace(samples=x, stamps=t, timed=True) for x, t in parts]
    notes = []
    view = SimpleNamespace(note=notes.append, tick=lambda: None)
    run.note = view.note
    assert jobs._watch(run, Scripted(chunks), view, lambda: 101.0) == "by Ctrl-C"
    run.record.close()
    assert run.monitor.missing == 50
    reading = "reading: amp from host, 3 channels, 200 Hz, 10 times as fast"
    assert notes == [reading, "missing: no number from Cz"]
    table = answers(rows(folder / "spectra.csv"))
    assert [int(row["sample"]) for row in table] == list(range(64, 500, 16))
    assert [float(row["latency"]) for row in table] == [
        pytest.approx(101.0 - stamps[int(row["sample"]) - 1], abs=1e-6) for row in table
    ]
    for row in (table[0], table[-1]):
        expected = pipeline.predict_proba([samples[: int(row["sample"]), 1]])[0]
        np.testing.assert_allclose([float(row["p_healthy"]), float(row["p_ictal"])], expected, atol=1e-6)
        assert row["label"] == pipeline.classes_[expected.argmax()]


def test_a_stream_that_falls_silent_is_noted_once_each_time(folder, monkeypatch):
    monkeypatch.setattr(jobs, "_SILENT", 0.0)
    run = jobs._Run(loaded_model.load(str(folder / "m.elman")), jobs.Watching("amp", channels=("1", "2")))
    chunk = SimpleNamespace(samples=np.zeros((1, 3)), stamps=np.zeros(1), timed=True)
    notes = []
    run.note = notes.append
    view = SimpleNamespace(note=notes.append, tick=lambda: time.sleep(0.02))  # more than three periods
    jobs._watch(run, Scripted([None, None, None, chunk, None, None, None]), view, lambda: 1.0)
    assert notes[1:] == ["nothing has come for 0.015 s; the stream is still there"] * 2


def test_without_pylsl_a_command_says_what_it_wants(folder):
    done = elman_without("monitor", "-m", str(folder / "m.elman"), "--lsl", "x", without=("pylsl",))
    assert done.returncode == 2
    assert one_line(done.stderr) == 'elman: Lab Streaming Layer needs pylsl: pip install "elman[eeg]"\n'


def test_a_window_answers_to_the_last_seconds_alone(folder, pipeline):
    how = jobs.Watching("amp", channels=("1",), window=0.8)
    run = jobs._Run(loaded_model.load(str(folder / "spectra.elman")), how)
    samples = np.random.default_rng(8).normal(size=(1000, 3))
    chunk = SimpleNamespace(samples=samples, stamps=np.arange(1000) / 2000.0, timed=False)
    view = SimpleNamespace(note=print, tick=lambda: None)
    jobs._watch(run, Scripted([chunk]), view, lambda: 1.0)
    # Four begin anew every 160 samples, 40 apart: the oldest began at 840, and its last window is complete.
    last = pipeline.predict_proba([samples[840:1000, 0]])[0]
    np.testing.assert_allclose(run.seen.values, last, atol=1e-6)
    assert np.isnan(run.seen.latencies.largest)  # the other machine's clock is not known


def scripted(folder, samples, stamps, record=None, **options):
    """Watch samples (k, 1) of a stream of one channel with 200 Hz; return the run and what was noted."""
    how = jobs.Watching("amp", channels=("1",), **options)
    run = jobs._Run(loaded_model.load(str(folder / "spectra.elman")), how)
    run.record = record
    parts = zip(np.array_split(samples, 60), np.array_split(stamps, 60), strict=True)
    chunks = [SimpleNamespace(samples=np.repeat(x, 3, axis=1), stamps=t, timed=True) for x, t in parts]
    notes = []
    run.note = notes.append
    source = Scripted(chunks)
    source.description = dataclasses.replace(STREAM, rate=200.0, speed=1.0)
    lines = []
    view = SimpleNamespace(note=notes.append, tick=lambda: run.monitor and lines.append(_status(run)))
    ended = jobs._watch(run, source, view, lambda: stamps[-1])
    return run, notes, lines, run.summary(source, ended, 0.0)


def _status(run):
    from elman.cli.monitor_view import status

    return status(run.seen, run.monitor)


def test_a_dead_channel_is_shown_recorded_and_counted(folder, pipeline, capsys):
    from elman.cli import report

    samples = np.random.default_rng(7).normal(size=(3000, 1))
    samples[1000:1500] = 0.25
    stamps = 100.0 + np.arange(3000) / 200.0
    record = Record(str(folder / "dead.csv"), ["label", "p_healthy", "p_ictal"])
    options = {"window": 2.0, "alarm": "ictal", "on": 0.0, "off": 0.0, "on_steps": 3}
    _, notes, lines, seen = scripted(folder, samples, stamps, record, **options)
    record.close()
    assert notes[1].startswith("alarm: ictal 0.")
    assert notes[2:] == ["quality: Fp1 is flat; answers are unreliable", "quality: Fp1: good again"]
    assert "waiting for 0.8 s of signal" in lines[2]  # 150 of 304: the first frame that ends after 300
    assert any("UNRELIABLE" in line for line in lines)
    assert "UNRELIABLE" not in lines[-1]
    table = answers(rows(folder / "dead.csv"))
    assert int(table[0]["sample"]) == 304
    unreliable = [int(row["sample"]) for row in table if row["reliable"] == "0"]
    assert len(unreliable) == seen.unreliable > 0
    assert 1000 < unreliable[0] <= 1064 + 16
    assert {row["reliable"] for row in table} == {"0", "1"}
    assert [row["alarm"] for row in table[:3]] == ["0", "0", "1"]
    assert seen.losses == 0
    report.monitored(seen)
    assert f"answers  {seen.answers}, {seen.unreliable} of them unreliable" in capsys.readouterr().out
    said = [row["event"] for row in rows(folder / "dead.csv") if row["event"].startswith("quality")]
    assert said == notes[2:]
    _, notes, _, seen = scripted(folder, samples, stamps, quality=False)
    assert (notes[1:], seen.unreliable) == ([], 0)


def test_samples_lost_one_at_a_time_are_shown_and_counted(folder, pipeline, capsys):
    from elman.cli import report
    from elman.cli.json_output import plain

    samples = np.random.default_rng(7).normal(size=(6000, 1))
    kept = np.arange(6000) % 9 < 5
    stamps = (100.0 + np.arange(6000) / 200.0)[kept]
    options = {"window": 2.0, "alarm": "ictal", "on": 0.0, "off": 0.0}
    _, notes, lines, seen = scripted(folder, samples[kept], stamps, **options)
    assert len(notes) == 2
    assert notes[1].startswith("loss: about ")
    assert (seen.gaps, seen.losses, seen.alarms, seen.answers) == (0, 1, [], 0)
    assert seen.lost == pytest.approx(6000 * 4 / 9, rel=0.01)
    assert "no answers: not the rate that is expected" in lines[-1]
    report.monitored(seen)
    assert f"{seen.lost} lost in 0 gaps, and 1 time without a gap, " in capsys.readouterr().out
    assert plain(seen)["drift"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--alarm", "frog"], "--alarm is 'frog', expected one of 'rest', 'seizure'"),
        (["--on", 0.5], "--on is given without --alarm: expected both or none"),
        (["--alarm", "rest", "--on", 0.5, "--off", 0.6], "--on is 0.5 and --off 0.6, expected probabilities"),
        (["--alarm", "rest", "--on", 1.5], "--on is 1.5 and --off 0.5, expected probabilities"),
        (["--on-steps", 2], "--on-steps is given without --alarm: expected both or none"),
        (["--alarm", "rest", "--off-steps", 0], "--off-steps is 0, expected an integer of at least 1"),
        (["--rate", 0], "--rate is 0.0, expected a finite number above 0"),
        (["--reset-after", -1], "--reset-after is -1.0, expected a finite number of at least 0"),
        (["--csv", "m.elman"], "--csv is 'm.elman', which is also --model"),
        (["--csv", "missing/out.csv"], "missing/out.csv: No such file or directory"),
        (["--model", "missing.elman"], "missing.elman: No such file or directory"),
        (["--lsl", ""], "--lsl is '', expected a name"),
    ],
)
def test_what_the_monitor_cannot_do_is_said_at_once(folder, network, monkeypatch, arguments, sentence):
    monkeypatch.setenv("LSLAPICFG", network)
    monkeypatch.chdir(folder)
    given = ["--model", "m.elman", "--lsl", "x", *arguments]
    assert command("monitor", *given).sentence().startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.npz"], "missing.npz: No such file or directory"),
        (["m.elman"], "'m.elman' ends in '.elman', expected one of .ts, .npz, .csv"),
        (["bare.npz"], "'bare.npz' says nothing of its rate: expected --rate, samples a second"),
        (["eeg.npz", "--speed", 0], "--speed is 0.0, expected a finite number above 0"),
        (["eeg.npz", "--only", 7], "--only is '7', but 'eeg.npz' has 0"),
        (["wrong.npz"], "'wrong.npz', 'fs' is -1.0, expected a finite number above 0"),
        (["no.edf", "--label", "x"], "--label is given, but is no option for an EDF or BDF file"),
    ],
)
def test_what_cannot_be_played_is_said(folder, network, monkeypatch, arguments, sentence):
    monkeypatch.setenv("LSLAPICFG", network)
    monkeypatch.chdir(folder)
    np.savez("bare.npz", X=np.zeros((1, 5, 2)))
    np.savez("wrong.npz", X=np.zeros((1, 5, 2)), fs=-1.0)
    assert command("replay", *arguments, "--lsl", "x").sentence().startswith(sentence)


@pytest.mark.prove
def test_ten_minutes_at_ten_times_their_pace(tmp_path, start):
    """A minute of wall time: not a sample is lost, and every answer is that of the batch."""
    rate, count = 173.61, 104_166
    rng = np.random.default_rng(0)
    signal_ = np.convolve(rng.normal(size=count), np.ones(6) / 6, "same").astype(np.float32)[:, None] * 50
    np.savez(tmp_path / "ten.npz", X=signal_[None], fs=rate)
    X = [signal_[i : i + 128] for i in range(0, 2048, 128)]
    model = elman.RNNTagger(hidden_layer_sizes=(32,), max_iter=1, random_state=0)
    model.fit(X, [np.full(128, i % 2) for i in range(16)]).save(tmp_path / "m.elman")
    out = tmp_path / "out.csv"
    reads = ("--model", "m.elman", "--lsl", "ten", "--csv", "out.csv", "--json")
    plays = ("ten.npz", "--lsl", "ten", "--speed", 10, "--wait", PATIENCE, "--json")
    watch = start("monitor", *reads, cwd=tmp_path)
    play = start("replay", *plays, cwd=tmp_path)
    assert finish(play)[0]["samples"] == count
    wait_for(lambda: len(out.read_bytes().splitlines()) > count, watch)
    watch.send_signal(signal.SIGTERM)
    seen, _ = finish(watch)
    assert seen["ended"] == "by SIGTERM"
    assert (seen["samples"], seen["lost"], seen["gaps"], seen["connections"]) == (count, 0, 0, 1)
    got = np.array([[float(row["p_0"]), float(row["p_1"])] for row in rows(out)])
    np.testing.assert_allclose(got, model.predict_proba([signal_])[0], atol=1e-6)
    print(seen["latency"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--features", "header=True"),
            "'channels=fs.edf' has no channel 'header=True', expected one of 'channels=', 'fs'",
        ),
        (("--features", "1,1"), "--features is [1, 1] (a list), expected at least one channel, each once"),
        (
            (),
            "'channels=fs.edf': channel 'channels=' has 200 Hz and 'fs' 50 Hz, expected one rate: give --",
        ),
        (("--rate", 99.1234567), "--rate is 99.1234567, "),
        (("--no-header",), "--header is given, but is no option for an EDF or BDF file"),
    ],
)
def test_an_edf_file_whose_names_look_like_options(tmp_path, monkeypatch, options, sentence):
    pytest.importorskip("edfio")
    monkeypatch.chdir(tmp_path)
    x = np.sin(np.arange(200))
    recordings.edf(Path("channels=fs.edf"), [("channels=", 200, x), ("fs", 50, x[:50])])
    answer = command("replay", "channels=fs.edf", "--lsl", "s", *options)
    assert answer.sentence().startswith(sentence)


def test_a_damaged_edf_file_is_played_on_request(folder, network, monkeypatch, tmp_path):
    pytest.importorskip("edfio")
    monkeypatch.setenv("LSLAPICFG", network)
    monkeypatch.chdir(tmp_path)
    content = recordings.edf_plus(Path("cut.edf"), {"Cz": np.zeros((4, 100), int)})
    Path("cut.edf").write_bytes(content[:-5])
    sentence = command("replay", "cut.edf", "--lsl", "cut").sentence()
    assert sentence.endswith("it is truncated or damaged (--damaged 'read' reads the first 3)")
    answer = command("replay", "cut.edf", "--lsl", "cut", "--damaged", "read", "--speed", 100)
    assert answer.code == 0 and "the first 3 data records are read\n" in answer.err, answer
    assert answer.out.startswith("cut: 300 samples, 3.0 s of cut.edf") and "UserWarning" not in answer.err
