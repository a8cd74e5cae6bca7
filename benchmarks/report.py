"""The results as a Markdown table and a picture, docs/images/speed.png: `python -m benchmarks.report`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from benchmarks.measure import load

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "speed.png"
TITLES = {
    "elman": "elman",
    "torch": "PyTorch",
    "jax": "JAX (jit)",
    "keras": "Keras",
    "numpy": "NumPy",
    "onnxruntime": "ONNX Runtime",
}
COLOURS = {
    "elman": "#c0392b",
    "torch": "#7f8c8d",
    "jax": "#95a5a6",
    "keras": "#b4bcc0",
    "numpy": "#cfd4d7",
    "onnxruntime": "#b4bcc0",
}


def table(train: dict[str, Any], stream: dict[str, Any] | None) -> str:
    """Medians in microseconds; in brackets, how many times elman's."""
    peers = list(next(iter(train["cases"].values()))["times"])
    rows = [["a training step"] + [TITLES[peer] for peer in peers], ["---"] + ["---:"] * len(peers)]
    for name, case in train["cases"].items():
        sizes = " ".join(f"{letter}{size}" for letter, size in case["sizes"].items() if letter != "C")
        rows.append([f"{name}: {sizes}"] + [cell(case, peer) for peer in peers])
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    if stream is not None:
        others = ", ".join(
            f"{TITLES[peer]} {time['median_us']:.1f}"
            for peer, time in stream["times"].items()
            if peer != "elman"
        )
        own = stream["times"].get("elman")
        text += (
            "\n\nOne streamed step (F8 H64, softmax): "
            + (f"elman {own['median_us']:.2f} µs; " if own else "")
            + others
            + " µs."
        )
    machine = train["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in train["versions"].items())
    return (
        f"{text}\n\nMicroseconds, medians; in brackets, how many times elman's. "
        f"float32, {train['threads']} threads, {machine['cpu']}, {train['date']} ({versions})."
    )


def cell(case: dict[str, Any], peer: str) -> str:
    """One time, with its ratio."""
    median = case["times"][peer]["median_us"]
    ratio = case["ratios"].get(peer)
    digits = 2 if median < 10 else 1 if median < 100 else 0
    return f"{median:,.{digits}f}" + (f" (×{ratio:.{0 if ratio >= 10 else 1}f})" if ratio else "")


def picture(train: dict[str, Any], path: Path) -> None:
    """Bars of microseconds a step on a logarithmic axis, one group a case."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    peers = list(next(iter(train["cases"].values()))["times"])
    figure, axes = plt.subplots(
        figsize=(8, 0.45 + 0.24 * (len(peers) + 0.8) * len(train["cases"])), layout="constrained"
    )
    high = 0.8 / len(peers)
    for place, case in enumerate(train["cases"].values()):
        for turn, peer in enumerate(peers):
            median, y = case["times"][peer]["median_us"], place + (turn - (len(peers) - 1) / 2) * high
            axes.barh(
                y, median, height=high * 0.92, color=COLOURS[peer], label=TITLES[peer] if place == 0 else None
            )
            axes.annotate(
                cell(case, peer).replace("(", " ").replace(")", ""),
                (median, y),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="#333333",
            )
    axes.set_yticks(
        range(len(train["cases"])),
        [
            f"{name}\n"
            + " ".join(f"{letter}{size}" for letter, size in case["sizes"].items() if letter != "C")
            for name, case in train["cases"].items()
        ],
        fontsize=8,
    )
    axes.set_xscale("log")
    axes.set_xlim(right=axes.get_xlim()[1] * 3)
    axes.invert_yaxis()
    axes.set_xlabel(f"microseconds a training step (float32, {train['threads']} threads)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=len(peers), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"written: {path}")


def main() -> None:
    """Print the table, draw the picture."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", default="train", help="results/NAME.json of the training steps")
    parser.add_argument("--image", type=Path, default=IMAGE)
    args = parser.parse_args()
    train = load(args.train)
    if train is None:
        raise SystemExit("no results yet: python -m benchmarks.train")
    print(table(train, load("stream")))
    picture(train, args.image)


if __name__ == "__main__":
    main()
