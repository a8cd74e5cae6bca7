"""The results as a Markdown table and a picture, docs/images/speed.png: `python -m benchmarks.report`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.measure import load

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "speed.png"
TITLES = {
    "torch": "PyTorch",
    "torch-compiled": "compiled",
    "torch-padded": "padded",
    "jax": "JAX",
    "keras": "Keras",
    "numpy": "NumPy",
    "onnxruntime": "ONNX Runtime",
    "onnxruntime batched": "ONNX Runtime in one call",
}
CELLS = {"rnn": "Elman network", "gru": "GRU", "lstm": "LSTM"}
# How many times as fast as PyTorch, and as the best other peer, a training step is meant to be.
TARGETS: dict[str, tuple[float | None, float | None]] = {
    "adder": (250, 15),
    "letters": (150, 8),
    "eeg32": (40, 8),
    "eeg64": (12, 3.5),
    "eeg128": (7, 3.3),
    "char256": (3.7, 3.5),
    "char512": (3.2, 2.1),
    "wide": (2, 1.3),
    "eeg64-ragged": (5, None),
    "eeg32-gru": (25, None),
    "eeg64-gru": (10, None),
    "eeg128-gru": (5, None),
    "char256-gru": (3.3, None),
    "char512-gru": (2.6, None),
    "eeg32-lstm": (2.5, None),
    "eeg64-lstm": (3.5, None),
    "eeg128-lstm": (2.3, None),
    "char256-lstm": (1.6, None),
    "char512-lstm": (1.5, None),
}


def number(value: float) -> str:
    """Three digits, or whole."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def best_other(case: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The fastest peer beside PyTorch's loop, and its ratio."""
    others = [(ratio["median"], name) for name, ratio in case["ratios"].items() if name != "torch"]
    if not others:
        return None
    name = min(others)[1]
    return name, case["ratios"][name]


def table(train: dict[str, Any], more: dict[str, dict[str, Any]]) -> str:
    """One row a case: elman's time and rate, and how many times as long others take."""
    peers = list(dict.fromkeys(name for case in train["cases"].values() for name in case["ratios"]))
    head = ["training step", "elman, µs", "GF/s (of peak)", *(TITLES[peer] for peer in peers)]
    head += list(more)
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, case in train["cases"].items():
        sizes = " ".join(f"{letter}{size}" for letter, size in case["sizes"].items() if letter != "C")
        row = [
            f"{name}: {sizes}",
            number(case["times"]["elman"]["median"]),
            f"{number(case['gflops']['elman'])} ({case['share_of_peak']['elman']:.0%})",
        ]
        row += [times(case["ratios"].get(peer)) for peer in peers]
        row += [cells.get(name, "") for cells in more.values()]
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def times(ratio: dict[str, Any] | None) -> str:
    """×12, or nothing."""
    return "" if ratio is None else f"×{number(ratio['median'])}"


def columns(train: dict[str, Any]) -> dict[str, dict[str, str]]:
    """More about the same cases, where it was measured: other settings of training, and inference."""
    found, own = {}, train["cases"]
    one = load("train-float32-1")
    if one is not None and train["threads"] == 2:
        found["1 thread"] = {
            name: f"×{number(case['times']['elman']['median'] / own[name]['times']['elman']['median'])}"
            for name, case in one["cases"].items()
            if name in own
        }
    for title, name in (
        ("float64: PyTorch", f"train-float64-{train['threads']}"),
        ("predict: PyTorch", f"inference-float32-{train['threads']}"),
    ):
        other = load(name)
        if other is not None:
            found[title] = {case: times(m["ratios"].get("torch")) for case, m in other["cases"].items()}
    return found


def streams(stream: dict[str, Any]) -> str:
    """One sentence on steps of a stream, one on several streams at once."""
    sentences = []
    for key, what in (("stream", "One streamed step"), ("streams", "A step of 64 streams at once")):
        found = stream[key]
        own = ", ".join(
            f"{t['median']:.2f} µs{' with out=' if name.endswith('out') else ''}"
            for name, t in found["times"].items()
            if name in ("elman", "elman out")
        )
        others = ", ".join(
            f"{TITLES[name]} {number(t['median'])} ({times(found['ratios'][name])})"
            for name, t in found["times"].items()
            if name in TITLES
        )
        sentences.append(f"{what} (F8 H64, softmax): elman {own}; {others}.")
    empty = stream["stream"]["times"]["elman empty"]["median"]
    return "\n\n".join(sentences) + f" An empty native call takes {empty:.2f} µs."


def memory(found: dict[str, Any]) -> str:
    """One sentence."""
    parts = [
        f"{name} {case['rise']['elman'] / 2**20:.0f} MiB ({case['rise_by_formula']:.2f})"
        for name, case in found["cases"].items()
    ]
    return "Peak memory of a training step (by what it has to hold): " + ", ".join(parts) + "."


def setting(train: dict[str, Any]) -> str:
    """Say what was measured where."""
    versions = ", ".join(f"{name} {version}" for name, version in train["versions"].items())
    return (
        f"Medians; × is how many times as long as elman's, by turns. {train['dtype']}, {train['threads']} "
        f"threads, {train['machine']['cpu']}, {train['date']} ({versions})."
    )


def picture(train: dict[str, Any], path: Path) -> None:
    """Draw ratios on logarithmic axes, a panel a kind of cell, a row a case, with quartiles and targets."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    blue, orange, ink = "#1f5a99", "#c9731c", "#222222"
    panels = [cell for cell in CELLS if any(case["cell"] == cell for case in train["cases"].values())]
    rows = list(dict.fromkeys(row_of(name, case) for name, case in train["cases"].items()))
    plt.rcParams.update({"font.size": 9, "text.color": ink})
    figure, grid = plt.subplots(
        1,
        len(panels),
        figsize=(11, 0.95 + 0.42 * len(rows)),
        layout="constrained",
        sharey=True,
        width_ratios=[1.3, 1, 1][: len(panels)],
        squeeze=False,
    )
    for axes, cell in zip(grid[0], panels, strict=True):
        axes.set_xscale("log")
        for name, case in train["cases"].items():
            if case["cell"] != cell:
                continue
            y, other = rows.index(row_of(name, case)), best_other(case)
            targets = TARGETS.get(name, (None, None))
            if "torch" in case["ratios"]:
                mark(axes, y - 0.17, case["ratios"]["torch"], targets[0], blue, "")
            if other:
                mark(axes, y + 0.17, other[1], targets[1], orange, f" {TITLES[other[0]]}")
        axes.set_title(CELLS[cell], loc="left", fontsize=11, fontweight="bold", pad=8)
        low, high = axes.get_xlim()
        low, high = min(low, 0.9), high * (2.4 if high > 60 else 2.0)
        axes.set_xlim(low, high)
        ticks = [tick for tick in (0.3, 0.5, 1, 2, 5, 10, 30, 100, 300) if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="x", color="#dfe2e5", lw=0.7)
        axes.set_axisbelow(True)
        axes.axvline(1, color=ink, lw=1)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    grid[0, 0].set_yticks(range(len(rows)), rows)
    grid[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    setting = f"{train['dtype']}, {train['threads']} threads"
    figure.supxlabel(f"a training step takes so many times as long as elman's ({setting})", fontsize=9)
    figure.legend(
        handles=[
            Line2D([], [], color=blue, marker="o", ms=5, lw=1.6, label="PyTorch"),
            Line2D([], [], color=orange, marker="o", ms=5, lw=1.6, label="the best other peer"),
            Line2D([], [], color=ink, marker="|", ms=9, mew=1.6, lw=0, label="target"),
        ],
        loc="outside upper right",
        ncols=3,
        frameon=False,
        fontsize=9,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"written: {path}")


def row_of(name: str, case: dict[str, Any]) -> str:
    """Name the row that a case shares with its other cells."""
    return name.removesuffix(f"-{case['cell']}")


def mark(axes: Any, y: float, ratio: dict[str, Any], target: float | None, color: str, who: str) -> None:
    """Draw one ratio: a line from 1, the quartiles, the median and its number, the target as a tick."""
    middle, low, high = ratio["median"], ratio["q1"], ratio["q3"]
    axes.plot([1, middle], [y, y], color=color, lw=1.6, alpha=0.35)
    axes.plot([low, high], [y, y], color=color, lw=4, alpha=0.45)
    axes.plot(middle, y, "o", ms=5, color=color)
    if target is not None:
        axes.plot([target] * 2, [y - 0.15, y + 0.15], color="#222222", lw=1.6)
    axes.annotate(
        number(middle) + who,
        (max(high, target or 0), y),
        (6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=color,
    )


def main() -> None:
    """Print the table, draw the picture."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", default="train-float32-2", help="results/NAME.json of the training steps")
    parser.add_argument("--image", type=Path, default=IMAGE)
    args = parser.parse_args()
    train = load(args.train)
    if train is None:
        raise SystemExit("no results yet: python -m benchmarks.train")
    order = {name: i for i, name in enumerate(CASES)}  # however often single ones were measured again
    train["cases"] = dict(sorted(train["cases"].items(), key=lambda item: order[item[0]]))
    print(table(train, columns(train)))
    print("\n" + setting(train))
    for name, tell in (("stream", streams), ("memory", memory)):
        found = load(name)
        if found is not None:
            print("\n" + tell(found))
    picture(train, args.image)


if __name__ == "__main__":
    main()
