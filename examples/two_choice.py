"""Random dots, left or right? A leaky network with excitatory and inhibitory units learns to gather evidence.

In each trial noisy evidence comes in for a while; its mean, the coherence, is the share of the dots that move
together, and its sign is their direction. Single steps say little, so the network must sum them. Units are
leaky (time constant 100 ms, steps of 20 ms) and obey Dale's law: what a unit sends is always positive, or
always negative.

    python examples/two_choice.py                          # choices by coherence and by duration
    python examples/two_choice.py --picture choices.png    # and the state on its way to them

After H. F. Song, G. R. Yang and X.-J. Wang (2016), Training excitatory-inhibitory recurrent neural networks
for cognitive tasks, PLoS Computational Biology 12(2), e1004792; the task is that of K. H. Britten, M. N.
Shadlen, W. T. Newsome and J. A. Movshon (1992), The analysis of visual motion, J. Neuroscience 12, 4745-4765.
"""

from __future__ import annotations

import argparse

import numpy as np

from elman import Adam, Dense, Network, SimpleRNN

STEP, TIME_CONSTANT = 20.0, 100.0  # milliseconds
COHERENCES = np.array([0.0, 0.032, 0.064, 0.128, 0.256, 0.512])
NOISE = 1.0  # standard deviation of a step's evidence


def trials(n: int, seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return n trials of 200 to 1,000 ms: evidence (T_i, 1), the right answers, the coherences."""
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 2, size=n)
    coherence = rng.choice(COHERENCES, size=n)
    mean = np.where(right == 1, coherence, -coherence)
    steps = rng.integers(10, 51, size=n)
    return [m + NOISE * rng.normal(size=(T, 1)) for m, T in zip(mean, steps, strict=True)], right, coherence


def excitatory_inhibitory(units: int, seed: int) -> Network:
    """Return a leaky network of which every fifth unit is inhibitory, and no unit speaks to itself."""
    layers = [SimpleRNN(units, "relu", leak=STEP / TIME_CONSTANT), Dense(2, "softmax")]
    net = Network(layers, input_size=1, seed=seed)
    sign = np.where(np.arange(units) % 5 == 4, -1, 1)
    net.constrain("0.recurrent_kernel", sign=sign, mask=1 - np.eye(units))
    return net


def main() -> None:
    """Train, then ask how often it is right, and what it does on the way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=50)
    parser.add_argument("--trials", type=int, default=4000, help="to train on, and as many to test")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--picture", help="where to draw choices and states")
    args = parser.parse_args()

    net = excitatory_inhibitory(args.units, seed=0)
    X, right, _ = trials(args.trials, seed=0)
    net.fit(X, right, optimizer=Adam(0.003), epochs=args.epochs, batch_size=50, clip_norm=1.0, verbose=False)

    X, right, coherence = trials(args.trials, seed=1)
    chosen = net.predict(X).argmax(axis=1)
    ideal = np.array([x.sum() > 0.0 for x in X]).astype(int)  # nobody can do better
    steps = np.array([len(x) for x in X])
    print("right of the network and of the sum of the evidence, by coherence and by duration")
    print(f"{'coherence':>10} {'network':>8} {'sum':>8} {'< 600 ms':>9} {'>= 600 ms':>9}")
    for c in COHERENCES:
        at = coherence == c
        network, total = (chosen == right)[at].mean(), (ideal == right)[at].mean()
        early, late = ((chosen == right)[at & part].mean() for part in (steps < 30, steps >= 30))
        print(f"{c:10.3f} {network:8.3f} {total:8.3f} {early:9.3f} {late:9.3f}")
    print(f"the network and the sum agree in {(chosen == ideal).mean():.3f} of all trials")
    if args.picture:
        draw(net, args.picture)


def draw(net: Network, path: str) -> None:
    """Draw how the difference of the two choices grows with the evidence, for each coherence."""
    from elman.plotting import style

    rng = np.random.default_rng(2)
    figure = style.new_figure()
    ax = style.plain(figure.subplots(), title="Evidence is gathered", x="milliseconds", y="right less left")
    kernel = net.weights["1.kernel"]
    towards = kernel[:, 1] - kernel[:, 0]
    for c, color in zip(COHERENCES, style.COLORS, strict=False):
        X = c + NOISE * rng.normal(size=(500, 50, 1))
        states = net.states(X)[0]
        mean = (states @ towards).mean(axis=0)
        ax.plot(STEP * np.arange(1, 51), mean, color=color, lw=1.2, label=f"{c:.1%}")
    ax.legend(frameon=False, title="coherence")
    style.save(figure, path)


if __name__ == "__main__":
    main()
