"""Look at the simulated EEG: six types of activity with their spectra, and a seizure.

python examples/simulated_eeg.py                     # a table of rhythms and amplitudes
python examples/simulated_eeg.py --picture eeg.png   # and a picture
python examples/simulated_eeg.py --data bonn         # and the amplitudes of the Bonn recordings
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import signal

from elman import Sequences
from elman.datasets import load_bonn, simulate_eeg, simulate_seizure

TYPES = (
    "background",
    "sporadic spikes",
    "sustained spikes",
    "slow rhythmic",
    "low-voltage rapid",
    "quasi-sinusoidal",
)


def measure(x: np.ndarray, fs: float) -> tuple[float, float, float, float]:
    """Return amplitude (standard deviation, µV), strongest and median frequency (Hz), and spikes a second."""
    f, power = signal.welch(x, fs, nperseg=min(512, len(x)))
    share = np.cumsum(power) / power.sum()
    spikes = len(signal.find_peaks(x, height=560.0, distance=12)[0]) * fs / len(x)
    return float(x.std()), float(f[power.argmax()]), float(f[np.searchsorted(share, 0.5)]), spikes


def main() -> None:
    """Simulate, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=20, help="of each type")
    parser.add_argument("--seconds", type=float, default=23.6)
    parser.add_argument("--picture", help="where to draw")
    parser.add_argument("--data", help="the Bonn files of sets A, D and E, for their amplitudes")
    args = parser.parse_args()

    data = simulate_eeg(args.segments, kinds=TYPES, seconds=args.seconds)
    fs = data.description.fs
    x = np.stack([segment[:, 0] for segment in data.X])
    print("medians of each type   sd, µV   peak, Hz   median, Hz   spikes/s")
    for name in TYPES:
        sd, peak, middle, spikes = np.median([measure(row, fs) for row in x[data.y == name]], axis=0)
        print(f"{name:20} {sd:8.0f} {peak:10.1f} {middle:12.1f} {spikes:10.1f}")
    amplitudes("50 simulated segments", *simulate_eeg(50, fs=fs)[:2])
    if args.data:
        amplitudes("Bonn", *load_bonn(args.data, sets="ADE")[:2])
    if args.picture:
        draw({name: x[data.y == name][0] for name in TYPES}, fs, args.picture)


def amplitudes(name: str, X: Sequences, y: np.ndarray) -> None:
    """Print of each kind the medians of a segment's standard deviation and of its largest distance from 0."""
    print(f"\n{name + ', medians':26} sd, µV   largest, µV   of all, µV")
    for kind in dict.fromkeys(y.tolist()):
        own = [x - x.mean() for x in X.values.astype(float).reshape(len(X), -1)[y == kind]]
        sd, largest = np.median([x.std() for x in own]), [np.abs(x).max() for x in own]
        print(f"{kind:26} {sd:6.0f} {np.median(largest):13.0f} {max(largest):12.0f}")


def draw(segments: dict[str, np.ndarray], fs: float, path: str) -> None:
    """Draw ten seconds of each type, its spectrum, and a seizure below."""
    from elman.plotting import style

    figure = style.new_figure(9.6, 9.6)
    grid = figure.add_gridspec(len(segments) + 2, 2, width_ratios=(3, 1))
    for row, (name, x) in enumerate(segments.items()):
        shown = x[: round(10 * fs)]
        seconds, hertz = ("seconds", "Hz") if row == len(segments) - 1 else ("", "")
        trace = style.plain(figure.add_subplot(grid[row, 0]), x=seconds, y="µV")
        trace.plot(np.arange(len(shown)) / fs, shown, color=style.COLORS[0], lw=0.7)
        trace.set_title(name, loc="left", fontsize=9)
        f, power = signal.welch(x, fs, nperseg=min(512, len(x)))
        spectrum = style.plain(figure.add_subplot(grid[row, 1]), x=hertz)
        spectrum.semilogy(f[f <= 45], power[f <= 45], color=style.COLORS[1], lw=1.0)
        spectrum.set_title("power density, µV²/Hz" if row == 0 else "", loc="left", fontsize=9)
    seizure = simulate_seizure(40.0, onset=12.0, duration=20.0, fs=fs)
    t = np.arange(len(seizure.X[0])) / fs
    axis = style.plain(figure.add_subplot(grid[-2:, :]), x="seconds", y="µV")
    axis.plot(t, seizure.X[0][:, 0], color=style.COLORS[0], lw=0.6)
    onset, duration, text = seizure.description.annotations[0]
    axis.axvspan(onset, onset + duration, color=style.COLORS[1], alpha=0.12, lw=0, label=text)
    axis.set_title("a seizure", loc="left", fontsize=9)
    axis.legend(frameon=False, fontsize=8, loc="upper right")
    style.save(figure, path)


if __name__ == "__main__":
    main()
