"""What was saved comes back whole; what is damaged is refused."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from safetensors import safe_open

import elman
from elman import SGD, Adam, CosineDecay, Dense, MeanPool, Network, SimpleRNN, _engine
from elman.model import file
from helpers import support
from helpers.damage import sealed
from released import make

RELEASED = sorted((pathlib.Path(__file__).parents[1] / "released").glob("*.elman"))
FUSED = ("x86-64-v3", "x86-64-v4")  # instruction sets that agree to the bit

X = np.random.default_rng(0).normal(size=(6, 5, 2))
Y = np.arange(6) % 3


def network(dtype="float32"):
    stack = [SimpleRNN(4, return_sequences=True), MeanPool(), Dense(3, "softmax")]
    return Network(stack, input_size=2, dtype=dtype, seed=3)


@pytest.fixture
def saved(tmp_path):
    net = network()
    net.fit(X, Y, epochs=2, verbose=False)
    net.save(tmp_path / "net.elman")
    return tmp_path / "net.elman"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [Adam(CosineDecay(0.1, 50)), "rmsprop", SGD(0.1, 0.9)])
def test_a_loaded_network_goes_on_as_the_saved_one(tmp_path, dtype, optimizer):
    net = network(dtype)
    net.freeze("0.bias")
    net.fit(X, Y, epochs=2, optimizer=optimizer, verbose=False)
    net.save(tmp_path / "net")
    other = elman.load(str(tmp_path / "net"))
    assert other.layers == net.layers
    assert (other.dtype, other.seed, other.frozen, other.input_size) == (net.dtype, net.seed, net.frozen, 2)
    assert other.history.history == net.history.history
    np.testing.assert_array_equal(other.predict(X), net.predict(X))
    for each in (net, other):
        each.fit(X, Y, epochs=3, batch_size=2, optimizer=optimizer, verbose=False)
    np.testing.assert_array_equal(other.parameters, net.parameters)


SAVES = """
import sys
import numpy as np
from sklearn.pipeline import make_pipeline
import elman
from elman.anaesthesia import DepthForecaster, simulate_anaesthesia

folder = sys.argv[1]
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in (40, 52, 45, 60)]
quick = {"max_iter": 2, "random_state": 0}
net = elman.Network([elman.GRU(3, dropout=0.1), elman.Dense(2, "softmax")], input_size=2, seed=0)
net.freeze("0.bias", "1.*")
net.constrain("0.bias", "0.recurrent_bias", mask=np.arange(9) % 2)
net.constrain("0.kernel", mask=np.ones((2, 9)))
net.fit(X, [0, 1, 0, 1], epochs=2, validation_data=(X, [0, 1, 0, 1]), verbose=False,
        checkpoint=f"{folder}/checkpoint")
net.save(f"{folder}/network")
learner = elman.Network([elman.SimpleRNN(3)], input_size=2, seed=0).online("sgd")
learner.step([0.5, 1.0], [0.0, 1.0, 0.0])
learner.save(f"{folder}/learner")
classifier = elman.RNNClassifier(3, class_weight={"b": 2.0, "a": 1.0}, **quick)
elman.save(classifier.fit(X, ["a", "b", "a", "b"]), f"{folder}/classifier")
regressor = elman.RNNRegressor(3, early_stopping=True, validation_fraction=0.5, **quick)
regressor.fit(X, [0.0, 1.0, 2.0, 3.0], checkpoint=f"{folder}/estimator-checkpoint")
regressor.save(f"{folder}/regressor")
elman.RNNTagger(3, **quick).fit(X, [np.arange(len(x)) % 2 for x in X]).save(f"{folder}/tagger")
bands = elman.features.BandPower(100.0, {"slow": (0, 20.0), "fast": (20, 50)}, 32)
pipeline = make_pipeline(bands, elman.RNNClassifier(3, **quick))
elman.save(pipeline.fit(X, ["a", "b", "a", "b"]), f"{folder}/pipeline")
signals, _, about = simulate_anaesthesia(2, seed=5, minutes=(15, 16))
forecaster = DepthForecaster(list(about.channels), hidden=3, epochs=1, random_state=7)
elman.save(forecaster.fit(signals), f"{folder}/forecaster")
"""


def test_the_same_model_is_saved_to_the_same_bytes(tmp_path):
    """Also by another process: no order of names is that of a hash."""
    folders = [tmp_path / hashed for hashed in ("1", "2")]
    running = []
    for folder in folders:
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": folder.name}
        command = [sys.executable, "-W", "ignore", "-c", SAVES, str(folder)]
        running.append(subprocess.Popen(command, env=environment))
    assert [process.wait() for process in running] == [0, 0]
    names = sorted(path.name for path in folders[0].iterdir())
    assert len(names) == 9
    for name in names:
        one, two = ((folder / name).read_bytes() for folder in folders)
        assert one == two, name
        with safe_open(folders[0] / name, framework="numpy") as opened:  # safetensors' own reader
            assert set(opened.metadata()) == {"elman_version", "elman_checksum", "elman_spec"}
            assert len(opened.keys()) > 1
        elman.save(elman.load(folders[0] / name), tmp_path / "again")
        if "checkpoint" not in name:  # which is loaded as the network or estimator in it
            assert (tmp_path / "again").read_bytes() == one, name


def test_a_network_that_never_trained_is_saved_too(tmp_path):
    net = network()
    net.save(tmp_path / "net")
    np.testing.assert_array_equal(elman.load(tmp_path / "net").predict(X), net.predict(X))


def test_a_rate_of_ones_own_is_left_out(tmp_path):
    net = network()
    net.fit(X, Y, optimizer=SGD(lambda update: 0.1), verbose=False)
    net.save(tmp_path / "net")
    assert elman.load(tmp_path / "net").model.optimizer is None


def test_saving_replaces_in_one_step(saved):
    network().save(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["net.elman"]
    elman.load(saved)


def test_the_file_is_plain_safetensors(saved):
    from safetensors import safe_open

    with safe_open(saved, "numpy") as file:
        assert json.loads(file.metadata()["elman_spec"])["layers"][1] == {"layer": "MeanPool"}
        assert "parameters" in file.keys()  # noqa: SIM118 (not a dictionary)


def test_saving_names_the_path_that_was_given(tmp_path):
    for place, code in ((tmp_path / "no" / "net", errno.ENOENT), (tmp_path, errno.EINVAL)):
        with pytest.raises(OSError) as raised:  # noqa: PT011 (its code and its path are looked at)
            network().save(place)
        assert (raised.value.filename, raised.value.errno) == (str(place), code)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="this system has no /dev/null")
def test_a_device_is_never_replaced_by_a_file():
    with pytest.raises(OSError, match="/dev/null"):
        network().save("/dev/null")
    assert not pathlib.Path("/dev/null").is_file()


def test_every_changed_byte_is_noticed(saved):
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    places = set(range(24)) | set(rng.integers(0, len(content), 300).tolist())
    for place in places:
        for change in (1, 0x80, int(rng.integers(1, 256))):
            damaged = bytearray(content)
            damaged[place] ^= change
            saved.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"net\.elman"):
                elman.load(saved)


def test_every_shorter_or_longer_file_is_refused(saved):
    content = saved.read_bytes()
    for length in [*range(20), len(content) // 2, len(content) - 1]:
        saved.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"net\.elman"):
            elman.load(saved)
    saved.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="damaged"):
        elman.load(saved)


def test_what_is_not_ours_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, tmp_path / "other")
    with pytest.raises(ValueError, match="not an elman file"):
        elman.load(tmp_path / "other")
    (tmp_path / "text").write_text("hello, this is no network at all")
    with pytest.raises(ValueError, match="not an elman file"):
        elman.load(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        elman.load(tmp_path / "nothing")


def test_a_newer_format_asks_for_an_update(saved, monkeypatch):
    monkeypatch.setattr(file, "VERSION", 7)
    network().save(saved)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has format version 7, expected at most 1: update elman"):
        elman.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [{"layer": "SimpleRNN", "units": 10**9}]},
        {
            "layers": [
                {"layer": "SimpleRNN", "units": 10**9, "use_bias": False},
                {"layer": "Dense", "units": 10**9},
            ]
        },
        {"layers": [{"layer": "Transformer"}]},
        {"layers": []},
        {"input_size": 10**12},
        {"input_size": "2"},
        {"dtype": "int8"},
        {"frozen": ["9.kernel"]},
        {"optimizer": {"optimizer": "adam", "beta_1": 7}},
        {"optimizer": {"optimizer": "adam", "charm": 7}},
        {"seed": -1},
        {"history": ["charm"]},
    ],
)
def test_a_forged_spec_is_refused_before_room_is_made(saved, change):
    """The checksum is right, the content is not."""
    spec, arrays = file.read(saved)
    file.write(saved, spec | change, arrays)
    with pytest.raises(ValueError, match="holds no network that can be read"):
        elman.load(saved)


def test_a_missing_part_is_refused(saved):
    spec, arrays = file.read(saved)
    for name in ("parameters", "moment.0", "history.loss"):
        file.write(saved, spec, {key: a for key, a in arrays.items() if key != name})
        with pytest.raises(ValueError, match="holds no network"):
            elman.load(saved)


def test_parts_of_another_type_or_shape_are_refused(saved):
    spec, arrays = file.read(saved)
    single = arrays["parameters"]
    changes = {
        "parameters": [single.astype(np.float64), single[:-1], single[None], single.astype(np.complex64)],
        "moment.1": [np.float32(1.0).reshape(1), arrays["moment.1"].astype(np.int32)],
        "history.accuracy": [np.zeros(1), np.zeros((2, 1)), np.zeros(2, np.float32)],
    }
    for name, values in changes.items():
        for value in values:
            file.write(saved, spec, arrays | {name: value})
            with pytest.raises(ValueError, match=rf"net\.elman' holds no network .*: {name} is .*, expected"):
                elman.load(saved)


@pytest.mark.parametrize("kind", ["RNNForecaster", None, 3, ["network"]])
def test_an_unknown_kind_asks_for_an_update(saved, kind):
    spec, arrays = file.read(saved)
    file.write(saved, spec | {"kind": kind}, arrays)
    with pytest.raises(ValueError, match=r"net\.elman' holds .*, expected a network or one of RNNClassifier"):
        elman.load(saved)


def test_json_that_is_none_is_refused(saved):
    content = saved.read_bytes()
    for old, new in ((b'\\"epoch\\": 2', b'\\"epoch\\":NaN'), (b'\\"epoch\\": 2', b'\\"epoch\\": [')):
        assert old in content
        saved.write_bytes(sealed(content.replace(old, new.ljust(len(old))[: len(old)])))
        with pytest.raises(ValueError, match=r"net\.elman' cannot be read"):
            elman.load(saved)


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_files_of_every_release_stay_readable(path):
    """To the bit where the instruction set of their making rounds alike."""
    net = elman.load(path)
    with np.load(path.with_suffix(".npz")) as file:
        found = make.answers(net, make.sequences(file["values"], file["offsets"]))
        expected, isa = file["predictions"], str(file["isa"])
    if isa in FUSED and _engine.isa() in FUSED:
        support.assert_same_bits(found, expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    history = net.history if isinstance(net, Network) else net.network_.history
    assert history.epoch > 3


@pytest.mark.parametrize("path", [p for p in RELEASED if "checkpoint" in p.stem], ids=lambda path: path.stem)
def test_checkpoints_of_every_release_go_on(path, tmp_path):
    copied = shutil.copy(path, tmp_path / "run.elman")
    before = elman.load(path)
    with np.load(path.with_suffix(".npz")) as file:
        X, y = make.sequences(file["values"], file["offsets"]), make.labels(file["offsets"])
    net = Network(before.layers, before.input_size, before.dtype, before.seed)
    old = path.stem.endswith("-0.1")  # it has no checksum of its data
    expected = (
        pytest.warns(UserWarning, match="was written by an earlier version of elman")
        if old
        else nullcontext()
    )
    with expected as warned:
        history = net.fit(X, y, epochs=7, checkpoint=copied, resume=True, **make.OPTIONS)
    assert history.epoch == 7
    if old:
        assert [w.filename for w in warned] == [__file__]
    again = Network(before.layers, before.input_size, before.dtype, before.seed)
    again.fit(X, y, epochs=8, checkpoint=copied, resume=True, **make.OPTIONS)  # now it has one
    with pytest.raises(ValueError, match="another run: y has other values"):
        again.fit(X, y[::-1], epochs=9, checkpoint=copied, resume=True, **make.OPTIONS)
    assert history.history["loss"][:4] == before.history.history["loss"]
    assert history.history["loss"][6] < history.history["loss"][0]


def test_what_is_no_path_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^path is 3 \(a int\), expected a path") as raised:
        elman.load(3)
    assert raised.value.argument == "path"
