"""Golden runs: small networks as PyTorch computes them, in float64, written to one .npz file a network.

    python3 -m venv .torch && .torch/bin/pip install torch==2.13.0 numpy
    .torch/bin/python tests/golden/make_golden.py

A file holds: `spec` (JSON: layers, loss, options of each run), the rows (`X`, `lengths`), the answers `Y`,
weights `w/NAME`, outputs, hidden states `states/LAYER`, the loss' gradients `g/NAME`, those of a `cotangent`
`v/NAME` and `v/X`, and for each run its ten losses (one an epoch, met before each update, without l2)
`RUN/losses` and the final weights `RUN/NAME`. Rows and answers are stacked step by step; missing answers are
-1 or NaN.

Only torch.nn.Embedding, RNN, GRU and LSTM with packed sequences, torch.nn.functional and torch.optim do the
arithmetic. An Embedding without units is nn.Embedding of a fixed unit matrix; the rows below one are integers
and have no gradient. All recurrent layers have two biases: the second is zero and does not train, but
nn.GRU's, which is our recurrent_bias.
"""

import json
import pathlib

import numpy as np
import torch
from torch import nn

EPOCHS = 10
RECURRENT = ("SimpleRNN", "GRU", "LSTM")
HERE = pathlib.Path(__file__).parent

# A layer is [type, units, activation if it has one, return_sequences]; F inputs come first.
NETWORKS = {
    "tanh_last_cross_entropy": {
        "F": 3,
        "layers": [["SimpleRNN", 5, "tanh", False], ["Dense", 4, "softmax"]],
        "loss": "cross_entropy",
    },
    "relu2_steps_squared": {
        "F": 4,
        "layers": [["SimpleRNN", 6, "relu", True], ["SimpleRNN", 5, "relu", True], ["Dense", 2, "identity"]],
        "loss": "squared_error",
        "missing": True,
    },
    "tanh3_last_binary": {
        "F": 2,
        "layers": [
            ["SimpleRNN", 7, "tanh", True],
            ["SimpleRNN", 6, "tanh", True],
            ["SimpleRNN", 5, "tanh", False],
            ["Dense", 3, "sigmoid"],
        ],
        "loss": "binary_cross_entropy",
    },
    "tanh_steps_cross_entropy": {
        "F": 5,
        "layers": [["SimpleRNN", 17, "tanh", True], ["Dense", 5, "softmax"]],
        "loss": "cross_entropy",
        "missing": True,
    },
    "tanh2_steps_binary": {
        "F": 1,
        "layers": [["SimpleRNN", 4, "tanh", True], ["SimpleRNN", 9, "tanh", True], ["Dense", 2, "sigmoid"]],
        "loss": "binary_cross_entropy",
        "missing": True,
    },
    "relu_last_squared": {
        "F": 3,
        "layers": [["SimpleRNN", 8, "relu", False], ["Dense", 3, "tanh"]],
        "loss": "squared_error",
    },
    "relu_mean_cross_entropy": {
        "F": 3,
        "layers": [["SimpleRNN", 6, "relu", True], ["MeanPool"], ["Dense", 3, "softmax"]],
        "loss": "cross_entropy",
    },
    "tanh_max_squared": {
        "F": 2,
        "layers": [["SimpleRNN", 6, "tanh", True], ["MaxPool"], ["Dense", 2, "identity"]],
        "loss": "squared_error",
    },
    "tanh_states_squared": {"F": 2, "layers": [["SimpleRNN", 33, "tanh", True]], "loss": "squared_error"},
    "gru_last_cross_entropy": {
        "F": 3,
        "layers": [["GRU", 17, False], ["Dense", 4, "softmax"]],
        "loss": "cross_entropy",
    },
    "gru3_steps_squared": {
        "F": 4,
        "layers": [["GRU", 6, True], ["GRU", 5, True], ["GRU", 4, True], ["Dense", 2, "identity"]],
        "loss": "squared_error",
        "missing": True,
    },
    "lstm_states_squared": {"F": 2, "layers": [["LSTM", 18, True]], "loss": "squared_error"},
    "lstm2_last_binary": {
        "F": 3,
        "layers": [["LSTM", 7, True], ["LSTM", 5, False], ["Dense", 2, "sigmoid"]],
        "loss": "binary_cross_entropy",
    },
    "lstm3_steps_cross_entropy": {
        "F": 2,
        "layers": [["LSTM", 5, True], ["LSTM", 6, True], ["LSTM", 4, True], ["Dense", 3, "softmax"]],
        "loss": "cross_entropy",
        "missing": True,
    },
    "embedding_gru_steps_cross_entropy": {
        "F": 1,
        "layers": [["Embedding", 6, 4], ["GRU", 5, True], ["Dense", 3, "softmax"]],
        "loss": "cross_entropy",
        "missing": True,
    },
    "embedding_tanh2_last_squared": {
        "F": 1,
        "layers": [
            ["Embedding", 9, 17],
            ["SimpleRNN", 6, "tanh", True],
            ["SimpleRNN", 5, "tanh", False],
            ["Dense", 2, "identity"],
        ],
        "loss": "squared_error",
    },
    "one_hot_lstm_steps_cross_entropy": {
        "F": 1,
        "layers": [["Embedding", 7, None], ["LSTM", 5, True], ["Dense", 7, "softmax"]],
        "loss": "cross_entropy",
    },
}
LENGTHS = [7, 2, 11, 1, 5, 11, 3, 4]

# name: (optimizer, its arguments, options of fit)
RUNS = {
    "sgd": ("SGD", {"learning_rate": 0.05}, {}),
    "sgd_momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}, {}),
    "sgd_nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}, {}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-8}, {}),
    "adam": ("Adam", {"learning_rate": 0.01}, {}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1}, {}),
    "adam_batches": ("Adam", {"learning_rate": 0.01}, {"batch_size": 3}),
    "adam_weighted": (
        "Adam",
        {"learning_rate": 0.01},
        {"batch_size": 5, "sample_weight": [1, 2, 0.5, 3, 0, 1, 0.25, 4]},
    ),
    "sgd_l2_sum_clipped": (
        "SGD",
        {"learning_rate": 0.05},
        {"batch_size": 4, "l2": 0.02, "reduction": "sum", "clip_norm": 1.0},
    ),
}


class Torch(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.spec, self.parts = spec, nn.ModuleList()
        width = spec["F"]
        for kind, *facts in spec["layers"]:
            if kind == "SimpleRNN":
                part = nn.RNN(width, facts[0], nonlinearity=facts[1], batch_first=True)
            elif kind in RECURRENT:
                part = getattr(nn, kind)(width, facts[0], batch_first=True)
            elif kind == "Dense":
                part = nn.Linear(width, facts[0])
            elif kind == "Embedding":
                n, units = facts
                part = nn.Embedding(n, units) if units else nn.Embedding.from_pretrained(torch.eye(n))
                facts = [units or n]
            else:
                part = nn.Identity()
            if kind in ("SimpleRNN", "LSTM"):
                nn.init.zeros_(part.bias_hh_l0)
                part.bias_hh_l0.requires_grad_(False)
            self.parts.append(part)
            width = facts[0] if facts else width
        self.double()
        self.named = self.our_names()

    def our_names(self):
        """Our name of each trained parameter."""
        named = {}
        for index, part in enumerate(self.parts):
            if isinstance(part, nn.RNNBase):
                named |= {
                    f"{index}.kernel": part.weight_ih_l0,
                    f"{index}.recurrent_kernel": part.weight_hh_l0,
                    f"{index}.bias": part.bias_ih_l0,
                }
                if isinstance(part, nn.GRU):
                    named[f"{index}.recurrent_bias"] = part.bias_hh_l0
            elif isinstance(part, nn.Linear):
                named |= {f"{index}.kernel": part.weight, f"{index}.bias": part.bias}
            elif isinstance(part, nn.Embedding) and part.weight.requires_grad:
                named[f"{index}.embeddings"] = part.weight
        return named

    def forward(self, rows):
        """Rows (T_i, F), or integers (T_i,) -> what the last activation gets, a row an answer; and states."""
        lengths = torch.tensor([len(row) for row in rows])
        steps = rows
        hidden = []
        for part, (kind, *facts) in zip(self.parts, self.spec["layers"], strict=True):
            if kind in RECURRENT:
                packed, last = part(nn.utils.rnn.pack_sequence(steps, enforce_sorted=False))
                padded, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
                steps = [padded[i, :length] for i, length in enumerate(lengths)]
                hidden.append(torch.cat(steps))
                last = last[0] if kind == "LSTM" else last  # of the pair (h, c)
                out = torch.cat(steps) if facts[-1] else last[0]
            elif kind == "Embedding":
                steps = [part(row) for row in steps]
            elif kind == "Dense":
                out = part(out)
            elif kind == "MeanPool":
                out = torch.stack([row.mean(dim=0) for row in steps])
            else:
                out = torch.stack([row.max(dim=0).values for row in steps])
        return out, hidden


ACTIVATIONS = {
    "identity": lambda z: z,
    "tanh": torch.tanh,
    "softmax": lambda z: torch.softmax(z, 1),
    "sigmoid": torch.sigmoid,
}


def activate(spec, z):
    return ACTIVATIONS[spec["layers"][-1][2]](z) if spec["layers"][-1][0] == "Dense" else z


def losses(spec, z, y):
    """Each answer's loss, zero where it has none; and whether it has one."""
    F = nn.functional
    if spec["loss"] == "cross_entropy":
        return F.cross_entropy(z, y, ignore_index=-1, reduction="none"), y >= 0
    known = ~torch.isnan(y)
    filled = torch.where(known, y, torch.zeros_like(y))
    if spec["loss"] == "binary_cross_entropy":
        each = F.binary_cross_entropy_with_logits(z, filled, reduction="none")
    else:
        each = 0.5 * F.mse_loss(activate(spec, z), filled, reduction="none")
    return torch.where(known, each, torch.zeros_like(each)).sum(dim=1), known.any(dim=1)


def per_step(spec):
    return not any(
        layer[0].endswith("Pool") or (layer[0] in RECURRENT and not layer[-1]) for layer in spec["layers"]
    )


def make_data(spec, generator):
    kind, *facts = spec["layers"][0]
    if kind == "Embedding":
        X = [torch.from_numpy(generator.integers(0, facts[0], size=T)) for T in LENGTHS]
    else:
        X = [torch.from_numpy(generator.normal(size=(T, spec["F"]))) for T in LENGTHS]
    answers = sum(LENGTHS) if per_step(spec) else len(LENGTHS)
    C = spec["layers"][-1][1]
    missing = (
        generator.uniform(size=(answers, C)) < 0.3 if spec.get("missing") else np.zeros((answers, C), bool)
    )
    if spec["loss"] == "cross_entropy":
        Y = np.where(missing[:, 0], -1, generator.integers(0, C, size=answers))
    elif spec["loss"] == "binary_cross_entropy":
        Y = np.where(missing, np.nan, generator.integers(0, 2, size=(answers, C)).astype(float))
    else:
        Y = np.where(missing, np.nan, generator.normal(size=(answers, C)))
    return X, torch.from_numpy(Y)


def make_optimizer(name, arguments, parameters):
    lr = arguments["learning_rate"]
    if name == "SGD":
        return torch.optim.SGD(
            parameters,
            lr=lr,
            momentum=arguments.get("momentum", 0.0),
            nesterov=arguments.get("nesterov", False),
        )
    if name == "RMSprop":
        return torch.optim.RMSprop(parameters, lr=lr, alpha=arguments["rho"], eps=arguments["epsilon"])
    if name == "Adam":
        return torch.optim.Adam(parameters, lr=lr)
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=arguments["weight_decay"])


def pick_answers(spec, Y, rows):
    if not per_step(spec):
        return Y[rows]
    return torch.cat([torch.split(Y, LENGTHS)[row] for row in rows])


def train(
    spec,
    net,
    X,
    Y,
    optimizer_name,
    arguments,
    batch_size=None,
    sample_weight=None,
    l2=0.0,
    reduction="mean",
    clip_norm=None,
):
    optimizer = make_optimizer(optimizer_name, arguments, list(net.named.values()))
    weight = torch.tensor(sample_weight or [1.0] * len(X), dtype=torch.float64)
    history = []
    for _ in range(EPOCHS):
        total = count = 0.0
        for begin in range(0, len(X), batch_size or len(X)):
            rows = list(range(len(X)))[begin : begin + (batch_size or len(X))]
            z, _ = net([X[row] for row in rows])
            each, known = losses(spec, z, pick_answers(spec, Y, rows))
            w = torch.cat([weight[row].repeat(LENGTHS[row] if per_step(spec) else 1) for row in rows]) * known
            summed = (w * each).sum()
            total, count = total + summed.item(), count + w.sum().item()
            if w.sum() == 0:
                continue
            loss = summed / w.sum() if reduction == "mean" else summed
            loss = loss + l2 / 2 * sum(
                (p**2).sum() for name, p in net.named.items() if name.endswith("kernel")
            )
            optimizer.zero_grad()
            loss.backward()
            if clip_norm is not None:
                norm = torch.sqrt(sum((p.grad**2).sum() for p in net.named.values()))
                for p in net.named.values():
                    p.grad *= torch.clamp(clip_norm / norm, max=1.0)
            optimizer.step()
        history.append(total / count)
    return history


def ours(name, tensor):
    """A kernel is ours turned round; a table of embeddings is not."""
    array = tensor.detach().numpy()
    return (array.T if name.endswith("kernel") else array).copy()


def named_arrays(prefix, tensors):
    return {f"{prefix}/{name}": ours(name, tensor) for name, tensor in tensors.items()}


def make(name, spec, seed):
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    net = Torch(spec)
    X, Y = make_data(spec, generator)
    arrays = {"X": torch.cat(X).numpy(), "lengths": np.array(LENGTHS), "Y": Y.numpy()} | named_arrays(
        "w", net.named
    )

    z, hidden = net(X)
    each, known = losses(spec, z, Y)
    loss = each.sum() / known.sum()
    loss.backward()
    arrays |= {"outputs": activate(spec, z).detach().numpy(), "loss": np.array(loss.item())}
    arrays |= {f"states/{layer}": h.detach().numpy() for layer, h in enumerate(hidden)}
    arrays |= named_arrays("g", {key: p.grad for key, p in net.named.items()})

    cotangent = torch.from_numpy(generator.normal(size=z.shape))
    numbers = X[0].is_floating_point()
    inputs = [row.clone().requires_grad_(numbers) for row in X]
    net.zero_grad()
    activate(spec, net(inputs)[0]).backward(cotangent)
    arrays["cotangent"] = cotangent.numpy()
    if numbers:
        arrays["v/X"] = torch.cat([row.grad for row in inputs]).numpy()
    arrays |= named_arrays("v", {key: p.grad for key, p in net.named.items()})

    start = {key: p.detach().clone() for key, p in net.named.items()}
    for run, (optimizer, arguments, options) in RUNS.items():
        with torch.no_grad():
            for key, p in net.named.items():
                p.copy_(start[key])
        arrays[f"{run}/losses"] = np.array(train(spec, net, X, Y, optimizer, arguments, **options))
        arrays |= named_arrays(run, net.named)
    described = {"name": name, "torch": torch.__version__, **spec, "runs": RUNS, "epochs": EPOCHS}
    np.savez_compressed(HERE / f"{name}.npz", spec=np.array(json.dumps(described)), **arrays)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed, (name, spec) in enumerate(NETWORKS.items()):
        make(name, spec, seed)
        print(name, (HERE / f"{name}.npz").stat().st_size, "bytes")
