"""The epoch loop: history, callbacks, second fits, freezing, divergence, carried state, copies, threads."""

import copy
import pickle
import sys
import threading

import numpy as np
import pytest

from elman import SGD, Adam, CosineDecay, Dense, DivergenceError, Network, SimpleRNN, _engine
from elman.data.targets import Answers
from elman.model.lock import ReadWriteLock
from elman.model.memory import AUTO
from elman.training import loop
from helpers.runs import RAGGED, X, Y, network


def fit(net, epochs=1, **options):
    return net.fit(X, Y, epochs=epochs, batch_size=4, **({"verbose": False} | options))


def test_history_has_a_value_an_epoch():
    history = fit(network(), 5, validation_data=(X[:3], Y[:3]))
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == 5
    assert all(len(values) == 5 and type(values[0]) is float for values in history.history.values())
    assert "5 epochs" in repr(history)


def test_validation_is_evaluate_after_the_epoch():
    net = network()
    history = fit(net, 3, validation_data=(X[:3], Y[:3], [1.0, 2.0, 0.0]))
    found = net.evaluate(X[:3], Y[:3], sample_weight=[1.0, 2.0, 0.0])
    assert found == {"loss": history.history["val_loss"][-1], "accuracy": history.history["val_accuracy"][-1]}


def test_squared_error_reports_two_metrics():
    net = Network([SimpleRNN(4)], 2, seed=0)
    history = net.fit(X, np.zeros((10, 4)), verbose=False)
    assert list(history.history) == ["loss", "mean_squared_error", "mean_absolute_error"]


def test_the_loss_of_an_epoch_is_the_mean_met_before_each_update():
    net = network("float64")
    before = net.evaluate(X, Y)
    history = net.fit(X, Y, batch_size=10, verbose=False, shuffle=False)
    assert history.history["loss"][0] == pytest.approx(before["loss"], rel=1e-12)
    assert history.history["accuracy"][0] == before["accuracy"]


@pytest.mark.parametrize(
    "options", [{}, {"shuffle": False}, {"optimizer": Adam(CosineDecay(0.1, 30))}, {"truncation": 2}]
)
def test_a_second_fit_goes_on(options):
    parts, whole = network(), network()
    losses = fit(parts, 2, **options).history["loss"] + fit(parts, 3, **options).history["loss"]
    assert losses == fit(whole, 5, **options).history["loss"]
    np.testing.assert_array_equal(parts.parameters, whole.parameters)


def test_another_optimizer_starts_anew():
    net, twin = network(), network()
    fit(net, 2)
    fit(twin, 2)
    fit(net, 1, optimizer=Adam(0.5))
    twin.reset_optimizer()
    fit(twin, 1, optimizer=Adam(0.5))
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    assert net.model.updates == 3


def test_schedules_of_one_and_of_many_epochs_are_the_same():
    together, alone = network(), network()
    first = fit(together, 6).history
    second = fit(alone, 6, callbacks=[lambda net, epoch, logs: None]).history
    assert first == second
    np.testing.assert_array_equal(together.parameters, alone.parameters)


@pytest.mark.parametrize("truncation", [None, 2])
def test_a_schedule_is_asked_for_each_update_once(truncation):
    """Also for chunks of ragged rows: a list of rates may be exactly as long as the training."""
    net, asked = network(), []

    def rate(update):
        asked.append(update)
        return 0.01

    net.fit(RAGGED, Y, optimizer=SGD(rate), epochs=2, batch_size=4, truncation=truncation, verbose=False)
    assert sorted(set(asked)) == list(range(net.model.updates))


def test_fit_is_gradient_and_update():
    net, twin = network("float64"), network("float64")
    options = {"batch_size": 10, "shuffle": False, "l2": 0.1, "clip_norm": 0.5, "verbose": False}
    net.fit(X, Y, optimizer="adam", epochs=3, **options)
    for _ in range(3):
        twin.update(twin.loss_and_gradient(X, Y, l2=0.1)[1], "adam", clip_norm=0.5)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_callbacks_see_each_epoch_and_may_stop():
    net, seen = network(), []

    def watch(given, epoch, logs):
        assert given is net
        seen.append((epoch, set(logs), given.predict(X).shape, set(given.evaluate(X, Y))))

    def stop(given, epoch, logs):
        return epoch == 2

    history = fit(net, 10, callbacks=[stop, watch])
    keys = {"loss", "accuracy"}
    assert seen == [(epoch, keys, (10, 3), keys) for epoch in range(3)]
    assert history.epoch == 3


def test_only_true_stops():
    assert fit(network(), 3, callbacks=[lambda net, epoch, logs: "yes"]).epoch == 3


def test_a_callback_that_raises_leaves_the_finished_epochs():
    net, twin = network(), network()

    def break_off(given, epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(net, 10, callbacks=[break_off])
    fit(twin, 2)
    assert net.history.epoch == 2
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    fit(net)
    fit(twin)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_fit_within_a_callback_is_refused():
    with pytest.raises(RuntimeError, match="fit was called by a callback during fit: fit is exclusive"):
        fit(network(), 1, callbacks=[lambda net, epoch, logs: fit(net)])


CHANGES = [
    lambda net: net.reset_state(),
    lambda net: net.reset_optimizer(),
    lambda net: net.constrain("0.recurrent_kernel", sign=[0] * 4),
    lambda net: net.evaluate(X, Y, stateful=True),
]


@pytest.mark.parametrize("call", CHANGES)
def test_a_callback_may_not_change_what_fit_uses(call):
    with pytest.raises(RuntimeError, match="called by a callback during fit: fit is exclusive"):
        fit(network(), 1, callbacks=[lambda net, epoch, logs: call(net)])


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net.predict(X),
        lambda net: net.evaluate(X, Y),
        fit,
        *CHANGES[:3],
        lambda net: net.freeze("0.bias"),
        lambda net: net.unfreeze("0.bias"),
    ],
)
def test_other_threads_are_told_that_fit_is_exclusive(call):
    net, said = network(), []

    def elsewhere(given, epoch, logs):
        def work():
            try:
                call(net)
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    fit(net, 1, callbacks=[elsewhere])
    assert len(said) == 1
    assert "fit" in said[0]
    call(net)


def test_freezing_waits_for_no_one():
    """As constrain: an error while another thread reads. A callback's freeze does not unlock fit."""
    net, said = network(), []

    def callback(given, epoch, logs):
        given.freeze("0.bias")
        given.unfreeze("0.bias")
        thread = threading.Thread(target=lambda: said.append(refused(lambda: net.predict(X))))
        thread.start()
        thread.join()

    def refused(call):
        with pytest.raises(RuntimeError) as raised:
            call()
        return str(raised.value)

    fit(net, 1, callbacks=[callback])
    assert said == ["another thread is inside fit of this network: wait until it is done"]
    with net.model.lock.reading():
        message = "freeze was called while another thread uses this network: freeze is exclusive"
        assert refused(lambda: net.freeze("0.bias")) == message
    net.freeze("0.bias")


def test_the_lock_excludes():
    """Many threads that read and change what the lock guards: a reader never sees a half-made change."""
    lock, pair, wrong, done = ReadWriteLock(), [0, 0], [], [0, 0]

    def work(seed):
        rng = np.random.default_rng(seed)
        for writes in (rng.random(3000) < 0.3).tolist():
            try:
                if writes:
                    with lock.writing("change"):
                        pair[0] += 1
                        pair[1] += 1
                else:
                    with lock.reading():
                        if pair[0] != pair[1]:
                            wrong.append(pair[:])
                done[writes] += 1
            except RuntimeError:
                pass

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == [] and all(done) and pair[0] == pair[1]
    with lock.writing("change"):
        pass


def test_frozen_parts_stay_and_keep_their_gradients():
    net = network()
    net.freeze("0.recurrent_kernel", "*.bias")
    before = {name: w.copy() for name, w in net.weights.items()}
    fit(net, 3, l2=0.1)
    changed = {name for name, w in net.weights.items() if not np.array_equal(w, before[name])}
    assert changed == {"0.kernel", "1.kernel"}
    assert np.count_nonzero(net.loss_and_gradient(X, Y)[1]) == net.parameters.size


@pytest.mark.parametrize("one_by_one", [False, True])
def test_divergence_gives_back_the_last_good_weights(one_by_one):
    def regressor():
        return Network([SimpleRNN(3, "identity"), Dense(1)], 2, dtype="float64", seed=0)

    target = X.sum(axis=(1, 2))
    options = {"optimizer": SGD(20.0), "batch_size": 10, "verbose": False}
    if one_by_one:
        options["callbacks"] = [lambda net, epoch, logs: None]
    net = regressor()
    with pytest.raises(DivergenceError, match=r"epoch \d+, batch 0") as raised:
        net.fit(X, target, epochs=1000, **options)
    assert isinstance(raised.value, RuntimeError)
    assert 0 < raised.value.epoch < 1000
    assert raised.value.batch == 0
    assert np.isfinite(net.parameters).all()
    assert len(net.history.history["loss"]) == raised.value.epoch
    assert np.isfinite(net.history.history["loss"]).all()
    good = net.parameters.copy()
    twins = []
    for epochs in (raised.value.epoch, raised.value.epoch - 1):
        twin = regressor()
        twin.fit(X, target, epochs=epochs, **options)
        twins.append(twin.parameters)
    wanted = next(p for p in twins if np.isfinite(p).all())
    np.testing.assert_array_equal(good, wanted)
    assert net.model.optimizer is None


def test_divergence_in_the_first_epoch_gives_back_the_start():
    net = network("float64")
    net.weights["1.kernel"][...] = np.nan
    start = net.parameters.copy()
    with pytest.raises(DivergenceError, match="start"):
        fit(net)
    np.testing.assert_array_equal(net.parameters, start)
    error = pickle.loads(pickle.dumps(DivergenceError(2, 5)))
    assert (error.epoch, error.batch) == (2, 5)


def test_a_validation_loss_that_is_not_finite_stops_training():
    """Of rows so long that its states overflow; the last good weights are those before that epoch."""
    net = Network([SimpleRNN(3, "identity"), Dense(1)], 2, dtype="float64", seed=0)
    net.weights["0.recurrent_kernel"][...] = 0.9 * np.eye(3)
    net.freeze("0.recurrent_kernel")
    seen, good = [], []

    def grow(given, epoch, logs):
        seen.append(epoch)
        if epoch == 2:
            given.weights["0.recurrent_kernel"][...] = 1.2 * np.eye(3)
            good.append(given.parameters.copy())

    with pytest.raises(DivergenceError, match="epoch 3, batch 1 ") as raised:
        net.fit(
            X,
            X.sum(axis=(1, 2)),
            epochs=9,
            batch_size=5,
            optimizer=SGD(0.001),
            callbacks=[grow],
            validation_data=([np.ones((10_000, 2))], [0.0]),
            verbose=False,
        )
    assert raised.value.__notes__ == ["The loss was that of validation_data, after this last batch."]
    assert seen == [0, 1, 2]
    np.testing.assert_array_equal(net.parameters, good[0])
    assert {len(values) for values in net.history.history.values()} == {3}
    assert np.isfinite(net.history.history["val_loss"]).all()
    assert (net.model.epoch, net.model.optimizer) == (3, None)


def test_a_validation_without_answers_is_nan_and_stops_nothing():
    net = Network([SimpleRNN(4, return_sequences=True), Dense(3, "softmax")], 2, seed=0)
    answers = np.tile(np.arange(6) % 3, (10, 1))
    history = net.fit(X, answers, epochs=3, validation_data=(X, np.full((10, 6), -1)), verbose=False)
    assert np.isnan(history.history["val_loss"]).all()
    assert history.epoch == 3


def test_carried_rows_are_counted():
    net = network()
    fit(net, stateful=True)
    for call in (
        lambda: net.evaluate(X[:4], Y[:4], stateful=True),
        lambda: net.fit(X[:4], Y[:4], stateful=True, verbose=False),
    ):
        with pytest.raises(ValueError, match=r"X has 4 sequences, expected 10 .*net.reset_state\(\)"):
            call()
    net.predict(X[:4])
    net.evaluate(X[:4], Y[:4])
    net.reset_state()
    net.evaluate(X[:4], Y[:4], stateful=True)


def test_stateful_starts_where_the_row_ended():
    net = network("float64")
    halves = X.reshape(2, 5, 6, 2)
    net.evaluate(halves[0], Y[:5], stateful=True)
    found = net.evaluate(halves[1], Y[5:], stateful=True)
    assert found["loss"] == pytest.approx(
        net.evaluate(np.concatenate(halves, axis=1), Y[5:])["loss"], rel=1e-12
    )


@pytest.mark.parametrize("twice", [copy.deepcopy, copy.copy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_goes_on_as_the_network_would(twice):
    net = network()
    net.freeze("0.bias")
    fit(net, 2, stateful=True)
    other = twice(net)
    assert other.history.history == net.history.history
    assert (other.frozen, other.seed, other.layers) == (net.frozen, net.seed, net.layers)
    np.testing.assert_array_equal(other.parameters, net.parameters)
    fit(net, 2, stateful=True)
    assert not np.array_equal(other.parameters, net.parameters)
    fit(other, 2, stateful=True)
    np.testing.assert_array_equal(other.parameters, net.parameters)


def test_weights_may_be_changed_in_place():
    net = network("float64")
    before = net.parameters.copy()
    net.parameters *= 2.0
    net.weights["1.bias"] += 1.0
    np.testing.assert_array_equal(net.parameters[:-3], 2.0 * before[:-3])
    np.testing.assert_array_equal(net.weights["1.bias"], 1.0)
    with pytest.raises(AttributeError, match="cannot be replaced"):
        net.parameters = before
    with pytest.raises(AttributeError, match="cannot be replaced"):
        net.weights = {}


def test_an_interrupted_validation_ends_its_epoch(monkeypatch):
    """The epoch's updates are done, so the next fit takes the next epoch's order."""
    net, twin = network(), network()

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_sums", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(net, validation_data=(X, Y))
    assert net.history.epoch == 0
    fit(net)
    fit(twin, 2)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_numbers_a_step_may_mix_integers_and_floats():
    net = Network([SimpleRNN(4, return_sequences=True), Dense(1)], 2, seed=0)
    short = [X[0, :2], X[1, :3]]
    found = net.evaluate(short, [[1, 0], [0.5, 1.5, 2.0]])
    assert found == net.evaluate(short, [[1.0, 0.0], [0.5, 1.5, 2.0]])


def test_inputs_are_never_changed():
    inputs, labels, weights = X.copy(), Y.copy(), np.ones(10)
    net = network()
    net.fit(inputs, labels, sample_weight=weights, verbose=False, epochs=2)
    net.record(inputs).backward(np.ones((10, 3)))
    np.testing.assert_array_equal(inputs, X)
    np.testing.assert_array_equal(labels, Y)
    assert (weights == 1.0).all()


def test_the_bar_shows_loss_and_metric(capsys):
    fit(network(), 3, verbose=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "loss=" in shown
    assert "accuracy=" in shown
    fit(network(), 3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, 2, np.int64(1), np.True_])
def test_verbose_may_be_an_integer(capsys, verbose):
    fit(network(), 1, verbose=verbose)
    assert "1/1" in capsys.readouterr().err
    for silent in (0, np.int64(0), np.False_):
        fit(network(), 1, verbose=silent)
    assert capsys.readouterr() == ("", "")


def test_the_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    axes = fit(network(), 3).plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert axes is not None


@pytest.mark.parametrize("bound", ["1", "1,2"])
def test_openmp_bounds_the_threads(monkeypatch, bound):
    from elman import _engine

    monkeypatch.setenv("OMP_NUM_THREADS", bound)
    assert _engine.threads(None) == 1
    assert _engine.threads(7) == 7
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert _engine.threads(None) >= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean", [False, True])
def test_class_weights_count_answers_as_so_many_repeated_ones(dtype, mean):
    rng = np.random.default_rng(0)
    net = Network([SimpleRNN(5, return_sequences=True), Dense(3, "softmax")], 2, dtype=dtype, seed=0)
    batch, data = net.model.batch([rng.normal(size=(T, 2)) for T in (4, 7, 1)])
    indices = rng.integers(-1, 3, batch.rows)
    weights = np.array([0.5, 2.0, 0.0])

    def gradient(answers, mean=False):
        out = np.empty_like(net.parameters)
        loss = net.model.native.gradient(data, _engine.targets(answers), 0, None, mean, 0.0, out, 1, AUTO)
        return loss, out

    loss, found = gradient(Answers(indices, None, weights), mean)
    alone = [gradient(Answers(np.where(indices == c, c, -1), None)) for c in range(3)]
    divisor = weights[indices[indices >= 0]].sum() if mean else 1.0
    expected = sum(w * g for w, (_, g) in zip(weights, alone, strict=True)) / divisor
    assert loss == pytest.approx(sum(w * v for w, (v, _) in zip(weights, alone, strict=True)) / divisor)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if dtype == "float32" else 1e-12)
    sums = net.model.native.evaluate(data, _engine.targets(Answers(indices, None, weights)), 0, None, None, 1)
    assert sums[1] == sums[4] == weights[indices[indices >= 0]].sum()
