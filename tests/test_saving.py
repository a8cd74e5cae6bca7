"""What was saved comes back whole; what is damaged is refused."""

import json

import numpy as np
import pytest

import elman
from elman import SGD, Adam, CosineDecay, Dense, MeanPool, Network, SimpleRNN, saving

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


def test_a_network_that_never_trained_is_saved_too(tmp_path):
    net = network()
    net.save(tmp_path / "net")
    np.testing.assert_array_equal(elman.load(tmp_path / "net").predict(X), net.predict(X))


def test_a_rate_of_ones_own_is_left_out(tmp_path):
    net = network()
    net.fit(X, Y, optimizer=SGD(lambda update: 0.1), verbose=False)
    net.save(tmp_path / "net")
    assert elman.load(tmp_path / "net").model.optimiser is None


def test_saving_replaces_in_one_step(saved):
    network().save(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["net.elman"]
    elman.load(saved)


def test_the_file_is_plain_safetensors(saved):
    from safetensors import safe_open

    with safe_open(saved, "numpy") as file:
        assert json.loads(file.metadata()["elman_spec"])["layers"][1] == {"layer": "MeanPool"}
        assert "parameters" in file.keys()  # noqa: SIM118 (not a dictionary)


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
    monkeypatch.setattr(saving, "VERSION", 7)
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
        {"optimiser": {"optimiser": "adam", "beta_1": 7}},
        {"optimiser": {"optimiser": "adam", "charm": 7}},
        {"seed": -1},
        {"history": ["charm"]},
    ],
)
def test_a_forged_spec_is_refused_before_room_is_made(saved, change):
    """The checksum is right, the content is not."""
    spec, arrays = saving.read(saved)
    saving.write(saved, spec | change, arrays)
    with pytest.raises(ValueError, match="holds no network that can be read"):
        elman.load(saved)


def test_a_missing_part_is_refused(saved):
    spec, arrays = saving.read(saved)
    for name in ("parameters", "moment.0", "history.loss"):
        saving.write(saved, spec, {key: a for key, a in arrays.items() if key != name})
        with pytest.raises(ValueError, match="holds no network"):
            elman.load(saved)
