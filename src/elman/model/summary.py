"""The table that `Network.summary` gives."""

from __future__ import annotations

from elman.model.model import Model
from elman.nn.layers import POOLS, RECURRENT, output_width


def table(model: Model) -> str:
    """Return layer, output shape and parameters of each layer, and the parameters' total."""
    lines = ["layer          output shape  parameters", "-" * 39]
    steps, width = True, model.input_size
    for i, layer in enumerate(model.layers):
        width = output_width(layer, width)
        if isinstance(layer, POOLS) or (isinstance(layer, RECURRENT) and not layer.return_sequences):
            steps = False
        shape = f"(n, T, {width})" if steps else f"(n, {width})"
        count = sum(w.size for name, w in model.weights.items() if name.split(".")[0] == str(i))
        lines.append(f"{f'{i} {type(layer).__name__}':<15}{shape:<14}{count:>10,}")
    lines += ["-" * 39, f"{'total':<29}{model.parameters.size:>10,}"]
    return "\n".join(lines)
