"""Article 000's network, transcribed from its arithmetic: an independent witness for the points demo.

Its rule: sigmoid hidden units with a context, softmax, cross-entropy, one update a point. The biases are one
number a layer and never train, nor do the recurrent weights; the hidden state is never reset, so it runs from
training into the test points and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRAIN_X = np.array([[1, 2], [1, 1], [1.5, 1.5], [2, 1], [-1, -1], [-0.5, -0.5], [-1, -2], [-2, -1.5]])
TRAIN_Y = np.array([[1, 0]] * 4 + [[0, 1]] * 4, float)
TEST_X = np.array([[2, 2], [0.2, 0.8], [-0.5, -0.8], [-1.2, -0.5]])
TEST_Y = np.array([[1, 0]] * 2 + [[0, 1]] * 2, float)
HIDDEN, EPOCHS, LEARNING_RATE = 4, 1000, 0.02


@dataclass
class ArticleNetwork:
    hidden_weights: np.ndarray  # (2, H)
    rnn_weights: np.ndarray  # (H, H)
    output_weights: np.ndarray  # (H, 2)
    hidden_bias: float
    output_bias: float

    def __post_init__(self) -> None:
        self.hidden_weights, self.output_weights = self.hidden_weights.copy(), self.output_weights.copy()
        self.hidden_output = np.zeros(len(self.rnn_weights))

    def feed_forward(self, x: np.ndarray) -> np.ndarray:
        net = x @ self.hidden_weights + self.hidden_output @ self.rnn_weights + self.hidden_bias
        self.hidden_output = 1.0 / (1.0 + np.exp(-net))
        raw = np.exp(self.hidden_output @ self.output_weights + self.output_bias)
        return raw / raw.sum()

    def train_point(self, x: np.ndarray, y: np.ndarray) -> None:
        delta_output = self.feed_forward(x) - y
        delta_hidden = (self.output_weights @ delta_output) * self.hidden_output * (1.0 - self.hidden_output)
        self.output_weights -= LEARNING_RATE * np.outer(self.hidden_output, delta_output)
        self.hidden_weights -= LEARNING_RATE * np.outer(x, delta_hidden)

    def test_loss(self) -> float:
        return sum(
            -float(np.sum(y * np.log(self.feed_forward(x)))) for x, y in zip(TEST_X, TEST_Y, strict=True)
        )

    def run(self, epochs: int = EPOCHS) -> list[float]:
        """The test loss after each epoch."""
        curve = []
        for _ in range(epochs):
            for x, y in zip(TRAIN_X, TRAIN_Y, strict=True):
                self.train_point(x, y)
            curve.append(self.test_loss())
        return curve


def draw(seed: int) -> ArticleNetwork:
    """Weights as the article draws them, in its order: uniform on [0, 1)."""
    random = np.random.RandomState(seed)
    hidden, output, rnn = (
        random.random_sample((2, HIDDEN)),
        random.random_sample((HIDDEN, 2)),
        random.random_sample((HIDDEN, HIDDEN)),
    )
    return ArticleNetwork(hidden, rnn, output, float(random.rand(1)[0]), float(random.rand(1)[0]))
