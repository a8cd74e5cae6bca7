"""Training that cannot be lost: a resumed run ends with the bits of one that was never interrupted."""

import copy
import json
import os
import pickle

import numpy as np
import pytest

import elman
from elman import SGD, Adam, AdamW, CosineDecay, Dense, Network, OneCycle, RMSprop, SimpleRNN
from elman.model import file
from elman.training import checkpoint, loop
from elman.training.plan import make_plan, read_training_data
from helpers import support
from helpers.kills import Waiting
from helpers.runs import RAGGED, X, Y, assert_equal, fit, network, refuses


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.elman"


# ------------------------------------------------------------------------------------------------- the bits

RUNS = {
    "plain": {},
    "adam and validation": {
        "optimizer": Adam(CosineDecay(0.1, 40)),
        "validation_data": (X[:4], Y[:4], [1, 2, 0, 1]),
    },
    "carried states": {"stateful": True, "optimizer": RMSprop(0.01)},
    "chunks": {"truncation": 2, "clip_norm": 0.1, "optimizer": AdamW(OneCycle(0.1, 50))},
    "a rate of one's own": {"optimizer": SGD(lambda update: 0.5 / (1 + update), momentum=0.9)},
    "sums in order": {"shuffle": False, "reduction": "sum", "l2": 0.01, "optimizer": SGD(0.01, 0.9, True)},
    "weights": {"sample_weight": np.arange(10.0)},
    "all at once": {
        "stateful": True,
        "truncation": 3,
        "validation_data": (X[:3], Y[:3]),
        "optimizer": Adam(lambda update: 0.1 / (1 + update)),
    },
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_a_resumed_run_has_the_bits_of_a_whole_one(path, options, dtype):
    whole = network(dtype)
    whole.freeze("0.bias")
    history = fit(whole, 9, **options)
    for epochs in (1, 2, 5, 9):  # each in a network that knows nothing
        part = network(dtype)
        part.freeze("0.bias")
        resumed = fit(part, epochs, checkpoint=path, resume=True, **options)
        assert resumed is part.history
        assert resumed.epoch == epochs
        assert list(path.parent.iterdir()) == [path]
    assert resumed.history == history.history
    assert_equal(part, whole)
    for net in (part, whole):  # and both go on as one
        fit(net, 2, **options)
    assert_equal(part, whole)


def test_sequences_of_different_lengths(path):
    whole, part = network(), network()
    for net, all_epochs in ((whole, [6]), (part, [2, 6])):
        for epochs in all_epochs:
            keep = {} if net is whole else {"checkpoint": path, "resume": True}
            net.fit(RAGGED, Y, epochs=epochs, stateful=True, truncation=2, verbose=False, **keep)
    assert_equal(part, whole)


def test_a_rule_that_stops_is_kept_too(path):
    options = {"validation_data": (X[:4], Y[:4]), "optimizer": SGD(2.0)}
    whole, rule = network(), Waiting(3)
    fit(whole, 100, callbacks=[rule], **options)
    ended = whole.history.epoch
    assert 3 < ended < 100
    for epochs in range(1, ended + 3):
        part, other = network(), Waiting(3)
        fit(part, epochs, callbacks=[other], checkpoint=path, resume=True, **options)
    assert_equal(part, whole)
    assert other.seen == rule.seen == list(range(ended))
    support.assert_same_bits(other.best, rule.best)


def test_a_run_that_ended_by_itself_stays_ended(path):
    net = network()
    fit(net, 100, callbacks=[lambda net, epoch, logs: epoch == 3], checkpoint=path)
    other = network()
    history = fit(other, 200, callbacks=[lambda *_: pytest.fail("called")], checkpoint=path, resume=True)
    assert history.history == net.history.history
    assert_equal(other, net)


def test_epochs_count_the_whole_run(path):
    net, seen = network(), []
    fit(net, 4, checkpoint=path)
    content = path.read_bytes()
    for epochs in (4, 2):
        other = network()
        assert fit(other, epochs, checkpoint=path, resume=True).history == net.history.history
        assert_equal(other, net)
    assert path.read_bytes() == content
    fit(network(), 7, checkpoint=path, resume=True, callbacks=[lambda net, epoch, logs: seen.append(epoch)])
    assert seen == [4, 5, 6]


def test_the_bar_begins_where_the_run_goes_on(path, capsys):
    fit(network(), 4, checkpoint=path)
    fit(network(), 6, checkpoint=path, resume=True, verbose=1)
    shown = capsys.readouterr().err
    assert "4/6" in shown
    assert "6/6" in shown
    fit(network(), 3, checkpoint=path, resume=True, verbose=True)
    assert "6/6" in capsys.readouterr().err


def test_the_same_network_goes_on(path):
    """A cell that is run again: after Ctrl-C within an epoch, and for more epochs."""
    whole, net = network(), network()
    fit(whole, 9)

    def interrupt(given, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(net, 6, callbacks=[interrupt], checkpoint=path, resume=True)
    assert (net.model.epoch, elman.load(path).history.epoch) == (4, 3)
    fit(net, 6, checkpoint=path, resume=True)
    fit(net, 9, checkpoint=path, resume=True)
    assert_equal(net, whole)


def test_a_loaded_checkpoint_goes_on(path):
    whole = network()
    fit(whole, 5, stateful=True)
    fit(network(), 3, stateful=True, checkpoint=path)
    net = elman.load(path)
    fit(net, 5, stateful=True, checkpoint=path, resume=True)
    assert_equal(net, whole)


@pytest.mark.parametrize("twice", [copy.deepcopy, copy.copy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_goes_on(path, twice):
    net = Network([SimpleRNN(4), Dense(3, "softmax")], input_size=2)
    fit(net, 2, checkpoint=path)
    other = twice(net)
    assert not other.model.seed_given
    fit(other, 4, checkpoint=path, resume=True)
    fit(net, 2)
    support.assert_same_bits(other.parameters, net.parameters)


def test_a_trained_network_begins_a_run(path):
    whole = network()
    fit(whole, 2)
    fit(whole, 5)
    for epochs in (3, 5):
        net = network()
        fit(net, 2)
        fit(net, epochs, checkpoint=path, resume=True)
    assert_equal(net, whole)
    assert net.history.epoch == 5


def test_what_a_callback_freezes_stays_frozen(path):
    def at_two(net, epoch, logs):
        if epoch == 2:
            net.freeze("0.*")

    whole = network()
    fit(whole, 8, callbacks=[at_two])
    for epochs in (5, 8):
        net = network()
        fit(net, epochs, callbacks=[at_two], checkpoint=path, resume=True)
    assert net.frozen == ("0.kernel", "0.recurrent_kernel", "0.bias")
    assert_equal(net, whole)


def test_a_seed_that_was_not_given_is_the_files_with_its_dropout_masks(path):
    def fresh():
        return Network([SimpleRNN(4, dropout=0.5), Dense(3, "softmax")], input_size=2)

    started = fresh()
    fit(started, 2, checkpoint=path)
    whole = Network(started.layers, 2, seed=started.seed)
    fit(whole, 6)
    resumed = fresh()
    fit(resumed, 6, checkpoint=path, resume=True)
    assert_equal(resumed, whole)


# ------------------------------------------------------------------------------------------------- the file


def test_a_checkpoint_is_the_network_after_that_epoch(path):
    seen = []

    def watch(net, epoch, logs):
        seen.append(net.predict(X))
        if epoch:  # the file of the epoch before
            before = elman.load(path)
            assert before.history.epoch == epoch
            support.assert_same_bits(before.predict(X), seen[-2])

    net = network()
    fit(net, 4, callbacks=[watch], checkpoint=str(path), stateful=True)
    loaded = elman.load(path)
    assert type(loaded) is Network
    assert_equal(loaded, net)
    support.assert_same_bits(loaded.predict(X), seen[-1])
    for each in (loaded, net):
        fit(each, 2, stateful=True)
    assert_equal(loaded, net)


def test_the_spec_of_a_file_can_be_read_alone(path):
    assert checkpoint.peek(path) is None
    net = Network([SimpleRNN(2)], 2)
    net.fit(X, np.zeros((10, 2)), verbose=False, checkpoint=path)
    assert checkpoint.peek(path)["seed"] == net.seed
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"run\.elman' is damaged"):
        checkpoint.peek(path)


def test_a_seed_that_was_not_given_is_the_files(path):
    def fresh():
        return Network([SimpleRNN(4), Dense(3, "softmax")], input_size=2)

    first = fresh()
    fit(first, 3, checkpoint=path)
    second, third = fresh(), network(seed=first.seed)
    assert second.seed != first.seed
    for net in (second, third):
        fit(net, 5, checkpoint=path, resume=True)
        assert net.seed == first.seed
    whole = network(seed=first.seed)
    fit(whole, 5)
    assert_equal(second, whole)
    assert not second.model.seed_given
    assert not elman.load(path).model.seed_given
    for given in (network(), pickle.loads(pickle.dumps(network()))):
        assert given.model.seed_given
        given.save(path)
        assert elman.load(path).model.seed_given


def test_an_existing_file_is_overwritten_after_the_first_epoch(path):
    fit(network(), 5, checkpoint=path)
    content = path.read_bytes()

    def watch(net, epoch, logs):
        assert (path.read_bytes() == content) == (epoch == 0)

    net = network(seed=7)
    assert fit(net, 2, checkpoint=path, callbacks=[watch]).epoch == 2
    assert_equal(elman.load(path), net)


def test_the_start_is_written_where_there_is_no_file(path):
    """So that even the first epoch, broken off, can be begun again by the same network."""

    def interrupt(*_):
        raise KeyboardInterrupt

    net, whole = network(), network()
    with pytest.raises(KeyboardInterrupt):
        fit(net, 3, callbacks=[interrupt], checkpoint=path, resume=True)
    assert elman.load(path).history.epoch == 0
    fit(net, 3, checkpoint=path, resume=True)
    fit(whole, 3)
    assert_equal(net, whole)


# ---------------------------------------------------------------------------------------------- estimators


def test_an_owner_packs_its_own_file(path):
    """What the estimators do: a file of another kind, settings of their own, and something more to keep."""

    class Counter:
        count = 0

        def state(self):
            return {"count": self.count}, {"numbers": np.arange(self.count)}

        def restore(self, values, arrays):
            assert list(arrays["numbers"]) == list(range(values["count"]))
            self.count = values["count"]

    def train(epochs, tol=0.5, **more):
        net, extra = network(), Counter()

        def pack():
            spec, arrays = file.pack(net.model)
            return {"kind": "RNNTagger", "network": spec, "classes": 3}, {**arrays, "mean": np.ones(2)}

        def count(*_):
            extra.count += 1

        owner = checkpoint.FileOwner("RNNTagger", pack, {"tol": tol, "wait": np.inf, "how": ("a", 1)}, extra)
        train = read_training_data(net.model, X, Y, None, None)
        options = {"epochs": epochs, "batch_size": 4, "callbacks": [count], "verbose": False, "n_threads": 1}
        plan = make_plan(net.model, train, None, optimizer="adam", **options)
        loop.fit(net.model, net, plan, checkpoint.open_run(net.model, plan, path, True, owner))
        return net, extra

    train(3)
    spec, arrays = file.read(path)
    assert (spec["kind"], spec["classes"], list(arrays["mean"])) == ("RNNTagger", 3, [1.0, 1.0])
    assert checkpoint.peek(path)["network"]["seed"] == 0
    net, extra = train(5)
    assert extra.count == 5
    whole = network()
    fit(whole, 5)
    assert_equal(net, whole)
    refuses(path, lambda: train(6, tol=0.1), "another run: tol is 0.5 there, 0.1 here")
    message = "kind is RNNTagger there, network here"
    refuses(path, lambda: fit(network(), 9, checkpoint=path, resume=True), message)
    path.unlink()
    fit(network(), 1, checkpoint=path)
    refuses(path, lambda: train(6), "kind is network there, RNNTagger here", "tol is None there, 0.5 here")


# ---------------------------------------------------------------------------------------------------- kills

needs_kill = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork to be killed")


def killed(seed, kills, folder):
    """Kill so many runs; returns what happened, by name. Each run has ended with the right bits."""
    script = "import sys; from helpers.kills import main; main(*sys.argv[1:])"
    return json.loads(support.run_script(script, timeout=600, arguments=[str(seed), str(kills), str(folder)]))


@needs_kill
def test_a_killed_run_ends_with_the_same_bits(tmp_path):
    assert killed(1, 8, tmp_path)["kills"] >= 8


@needs_kill
@pytest.mark.prove
@pytest.mark.parametrize("part", range(4))
def test_many_killed_runs_end_with_the_same_bits(tmp_path, part):
    counts = killed(100 + part, -(-support.proofs(200) // 4), tmp_path)
    print(counts)
    assert counts["kills"] >= support.proofs(200) // 4
