"""The table of `Network.summary`."""

from __future__ import annotations

from elman.model.model import Model
from elman.nn.stack import ends_time_axis, output_width


def table(model: Model) -> str:
    """Return the name, output shape and number of parameters of each layer, and the total number."""
    lines = ["layer          output shape  parameters", "-" * 39]
    steps, width = True, model.input_size
    for i, layer in enumerate(model.layers):
        width = output_width(layer, width)
        if ends_time_axis(layer):
            steps = False
        shape = f"(n, T, {width})" if steps else f"(n, {width})"
        count = sum(w.size for name, w in model.weights.items() if name.split(".")[0] == str(i))
        lines.append(f"{f'{i} {type(layer).__name__}':<15}{shape:<14}{count:>10,}")
    lines += ["-" * 39, f"{'total':<29}{model.parameters.size:>10,}"]
    return "\n".join(lines)
