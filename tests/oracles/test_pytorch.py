"""Live comparison with PyTorch's nn.RNN, nn.GRU and nn.LSTM: random shapes, forward, every gradient, ten
losses. Run by `make oracles`."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from helpers.networks import lively_weights, rnn
from helpers.support import (
    DTYPES,
    OUTPUT_OF,
    TOLERANCE,
    as_y,
    assert_near,
    error,
    network,
    proofs,
    ragged,
    random_answers,
    stack,
)

pytestmark = pytest.mark.oracle

NAMES = {
    "kernel": "weight_ih",
    "recurrent_kernel": "weight_hh",
    "bias": "bias_ih",
    "recurrent_bias": "bias_hh",
}
# Adam and RMSprop divide by a gradient's own size: with their small epsilon an entry that is rounding in
# float32 moves at full rate, in a direction that no engine can know. With this one it hardly moves.
EPSILON = {"float32": 1e-3, "float64": 1e-8}
OPTIMIZERS = {
    "sgd": (
        lambda epsilon: elman.SGD(0.01, momentum=0.9),
        lambda torch, p, epsilon: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    ),
    "adam": (
        lambda epsilon: elman.Adam(0.01, epsilon=epsilon),
        lambda torch, p, epsilon: torch.optim.Adam(p, lr=0.01, eps=epsilon),
    ),
    "rmsprop": (
        lambda epsilon: elman.RMSprop(0.005, epsilon=epsilon),
        lambda torch, p, epsilon: torch.optim.RMSprop(p, lr=0.005, alpha=0.9, eps=epsilon),
    ),
    "adamw": (
        lambda epsilon: elman.AdamW(0.01, epsilon=epsilon),
        lambda torch, p, epsilon: torch.optim.AdamW(p, lr=0.01, weight_decay=0.01, eps=epsilon),
    ),
}


class Twin:
    """The network as PyTorch has it: stacked recurrent layers on packed rows, one nn.Linear."""

    def __init__(self, torch, layers, F, weights):
        self.torch, self.layers, self.named, self.parts = torch, layers, {}, []
        for index, layer in enumerate(layers):
            part = self.part(F, layer).double()
            if isinstance(layer, elman.Dense):
                ours = {"kernel": part.weight, "bias": part.bias}
            else:
                ours = {}
                for half, suffix in (("", ""), ("reverse.", "_reverse"))[: 2 if layer.bidirectional else 1]:
                    for name, theirs in NAMES.items():
                        ours[half + name] = getattr(part, f"{theirs}_l0{suffix}")
                    if not isinstance(layer, elman.GRU):  # the second bias is ours in a GRU alone
                        torch.nn.init.zeros_(ours.pop(f"{half}recurrent_bias"))
            for name, parameter in ours.items():
                parameter.data = torch.from_numpy(weights[f"{index}.{name}"].T.copy())
                self.named[f"{index}.{name}"] = parameter
            self.parts.append(part)
            F = layer.units * (2 if getattr(layer, "bidirectional", False) else 1)

    def part(self, F, layer):
        nn = self.torch.nn
        if isinstance(layer, elman.Dense):
            return nn.Linear(F, layer.units)
        if isinstance(layer, elman.SimpleRNN):
            kind, options = nn.RNN, {"nonlinearity": layer.activation}
        else:
            kind, options = getattr(nn, type(layer).__name__), {}
        return kind(F, layer.units, batch_first=True, bidirectional=layer.bidirectional, **options)

    def forward(self, rows, starts=None):
        """Before the last activation, stacked; and the states of each layer. A start is (D, n, H), or two."""
        utils, hidden = self.torch.nn.utils.rnn, []
        starts = starts or [None] * (len(self.layers) - 1)
        for part, layer, start in zip(self.parts[:-1], self.layers[:-1], starts, strict=True):
            packed, last = part(utils.pack_sequence(rows, enforce_sorted=False), start)
            padded, lengths = utils.pad_packed_sequence(packed, batch_first=True)
            rows = [padded[i, :length] for i, length in enumerate(lengths)]
            hidden.append(self.torch.cat(rows))
            last = last[0] if isinstance(layer, elman.LSTM) else last  # of the pair (h, c)
            out = self.torch.cat(rows) if layer.return_sequences else self.torch.cat(list(last), dim=1)
        return self.parts[-1](out), hidden

    def loss(self, z, y, name):
        functional = self.torch.nn.functional
        if name == "cross_entropy":
            return functional.cross_entropy(z, y)
        if name == "binary_cross_entropy":
            return functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(dim=1).mean()
        return 0.5 * functional.mse_loss(z, y, reduction="none").sum(dim=1).mean()

    def flat(self, gradient):
        tensors = [p.grad if gradient else p.detach() for p in self.named.values()]
        return np.concatenate([t.numpy().T.ravel() for t in tensors])


@pytest.mark.parametrize("seed", range(proofs(60)))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
def test_networks_are_pytorchs(seed, cell, bidirectional, dtype):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # beside the other workers; these nets are small
    generator = np.random.default_rng(seed)
    activation, loss = str(generator.choice(["tanh", "relu"])), list(OUTPUT_OF)[seed % 3]
    depth, per_step = int(generator.integers(1, 4)), bool(generator.integers(2))
    sizes = generator.integers(1, 70, size=depth).tolist()
    F, C, n = (int(size) for size in generator.integers(1, 20, size=3))
    name = activation if cell == "rnn" else cell
    layers = [
        rnn(H, name, steps=per_step or level < depth - 1, bidirectional=bidirectional)
        for level, H in enumerate(sizes)
    ]
    layers.append(elman.Dense(C, activation=OUTPUT_OF[loss]))
    lengths = generator.integers(1, 40, size=n).tolist()
    net = network(layers, F, dtype, lively_weights(layers, F, generator))
    X = ragged(generator, lengths, F, dtype)
    answers = random_answers(generator, layers, C, lengths, loss)
    weights = {name: np.array(w, float) for name, w in net.weights.items()}
    twin = Twin(torch, layers, F, weights)
    rows = [torch.from_numpy(x.astype(float)) for x in X]
    y = torch.from_numpy(
        np.concatenate([np.atleast_1d(a) for a in answers]) if per_step else np.array(answers)
    )

    z, hidden = twin.forward(rows)
    outputs = {"softmax": lambda z: torch.softmax(z, 1), "sigmoid": torch.sigmoid, "identity": lambda z: z}[
        OUTPUT_OF[loss]
    ](z)
    assert_near(
        stack(net.predict(X)) if per_step else net.predict(X), outputs.detach().numpy(), dtype, "outputs"
    )
    for layer, (found, truth) in enumerate(zip(net.states(X), hidden, strict=True)):
        assert_near(stack(found), truth.detach().numpy(), dtype, f"states {layer}")
    value = twin.loss(z, y, loss)
    value.backward()
    found, gradient = net.loss_and_gradient(X, as_y(layers, answers), loss=loss)
    assert_near(found, value.item(), dtype, "loss")
    assert_near(gradient, twin.flat(gradient=True), dtype, "gradient")

    ours, theirs = list(OPTIMIZERS.values())[seed % 4]

    def ten_updates(twin, rows, y):
        optimizer, losses = theirs(torch, list(twin.named.values()), EPSILON[dtype]), []
        for _ in range(10):
            optimizer.zero_grad()
            value = twin.loss(twin.forward(rows)[0], y, loss)
            value.backward()
            optimizer.step()
            losses.append(value.item())
        return losses, twin.flat(gradient=False)

    losses, after = ten_updates(twin, rows, y)
    history = net.fit(
        X,
        as_y(layers, answers),
        loss=loss,
        optimizer=ours(EPSILON[dtype]),
        epochs=10,
        batch_size=n,
        shuffle=False,
        verbose=False,
    )
    for k in range(8 if dtype == "float32" and activation == "relu" else 0):
        if error(net.parameters, after) <= TOLERANCE[dtype]:
            break
        # A sum may have come to the other side of relu's kink, as in PyTorch's own float32 from one of a
        # few weights that differ by a rounding.
        noise = np.random.default_rng(k)
        moved = {name: w * (1 + 6e-8 * noise.standard_normal(w.shape)) for name, w in weights.items()}
        single = Twin(torch, layers, F, moved)
        for part in single.parts:
            part.float()
        single_y = y if loss == "cross_entropy" else y.float()
        losses, after = ten_updates(single, [row.float() for row in rows], single_y)
    assert_near(history.history["loss"], losses, dtype, "ten losses")
    assert_near(net.parameters, after, dtype, "weights")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("loss", list(OUTPUT_OF))
def test_weights_of_steps_are_pytorchs(loss, cell, dtype):
    """Unreduced losses, weighted by hand: the mean is by the sum of the weights."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    generator = np.random.default_rng(len(cell))
    layers = [rnn(7, cell, steps=True), elman.Dense(4, activation=OUTPUT_OF[loss])]
    lengths = generator.integers(1, 30, size=9).tolist()
    net = network(layers, 3, dtype, lively_weights(layers, 3, generator))
    X = ragged(generator, lengths, 3, dtype)
    answers = random_answers(generator, layers, 4, lengths, loss)
    weights = [generator.uniform(0, 3, T) * (generator.uniform(size=T) > 0.3) for T in lengths]
    twin = Twin(torch, layers, 3, {name: np.array(w, float) for name, w in net.weights.items()})
    z, _ = twin.forward([torch.from_numpy(x.astype(float)) for x in X])
    y, w = torch.from_numpy(np.concatenate(answers)), torch.from_numpy(np.concatenate(weights))
    functional = torch.nn.functional
    if loss == "cross_entropy":
        each = functional.cross_entropy(z, y, reduction="none")
    elif loss == "binary_cross_entropy":
        each = functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(dim=1)
    else:
        each = 0.5 * functional.mse_loss(z, y, reduction="none").sum(dim=1)
    value = (w * each).sum() / w.sum()
    value.backward()
    found, gradient = net.loss_and_gradient(X, answers, loss=loss, sample_weight=weights)
    assert_near(found, value.item(), dtype, "loss")
    assert_near(gradient, twin.flat(gradient=True), dtype, "gradient")


@pytest.mark.parametrize("seed", range(proofs(20)))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
def test_initial_states_are_pytorchs(seed, cell, bidirectional, dtype):
    """Outputs and the gradients by weights, inputs and initial states."""
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 30, size=generator.integers(1, 4)).tolist()
    F, C, n = (int(size) for size in generator.integers(1, 12, size=3))
    layers = [rnn(H, cell, steps=True, bidirectional=bidirectional) for H in sizes] + [elman.Dense(C)]
    net = network(layers, F, dtype, lively_weights(layers, F, generator))
    X = ragged(generator, generator.integers(1, 20, size=n).tolist(), F, dtype)
    D, parts = 1 + bidirectional, 2 if cell == "lstm" else 1
    given = [[generator.normal(size=(n, D * H)).astype(dtype) for _ in range(parts)] for H in sizes]
    twin = Twin(torch, layers, F, {name: np.array(w, float) for name, w in net.weights.items()})
    rows = [torch.from_numpy(x.astype(float)).requires_grad_() for x in X]
    theirs = [
        [torch.from_numpy(part.astype(float).reshape(n, D, -1)).requires_grad_() for part in entry]
        for entry in given
    ]
    turned = [[part.transpose(0, 1).contiguous() for part in entry] for entry in theirs]
    z, _ = twin.forward(rows, [tuple(entry) if parts == 2 else entry[0] for entry in turned])
    tape = net.record(X, initial_state=[tuple(entry) if parts == 2 else entry[0] for entry in given])
    assert_near(stack(tape.outputs), z.detach().numpy(), dtype, "outputs")
    cotangents = [generator.normal(size=(len(x), C)).astype(dtype) for x in X]
    z.backward(torch.from_numpy(np.concatenate(cotangents).astype(float)))
    found = tape.backward(cotangents)
    assert_near(found.parameters, twin.flat(gradient=True), dtype, "weights")
    assert_near(stack(found.inputs), np.concatenate([row.grad.numpy() for row in rows]), dtype, "inputs")
    for level, (ours, entry) in enumerate(zip(found.initial_state, theirs, strict=True)):
        for own, part in zip(ours if parts == 2 else [ours], entry, strict=True):
            assert_near(own, part.grad.numpy().reshape(n, -1), dtype, f"initial state {level}")


@pytest.mark.parametrize("seed", range(proofs(20)))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("units", [None, 6], ids=["one_hot", "table"])
def test_embeddings_are_pytorchs(seed, cell, units, dtype):
    """nn.Embedding; a one-hot input is one whose table is fixed to the identity."""
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(seed)
    n, C, rows = (int(size) for size in generator.integers(2, 20, size=3))
    H, both = int(generator.integers(1, 40)), bool(generator.integers(2))
    top = [rnn(H, cell, steps=True, bidirectional=both), elman.Dense(C, activation="softmax")]
    layers = [elman.Embedding(n, units), *top]
    net = network(layers, 1, dtype, lively_weights(layers, 1, generator))
    lengths = generator.integers(1, 30, size=rows).tolist()
    X = [generator.integers(0, n, size=T) for T in lengths]
    y = [generator.integers(0, C, size=T) for T in lengths]
    weights = {name: np.array(w, float) for name, w in net.weights.items()}
    above = {f"{int(name[0]) - 1}{name[1:]}": w for name, w in weights.items() if name[0] != "0"}
    twin = Twin(torch, top, units or n, above)
    table = torch.from_numpy(weights["0.embeddings"] if units else np.eye(n)).requires_grad_(bool(units))
    read = [torch.nn.functional.embedding(torch.from_numpy(x), table) for x in X]
    loss = twin.loss(twin.forward(read)[0], torch.from_numpy(np.concatenate(y)), "cross_entropy")
    loss.backward()
    gradient = twin.flat(gradient=True)
    if units:
        gradient = np.concatenate([table.grad.numpy().ravel(), gradient])
    found, ours = net.loss_and_gradient(X, y)
    assert_near(found, loss.item(), dtype, "loss")
    assert_near(ours, gradient, dtype, "gradient")
