"""The one error that is elman's own: everything else is a ValueError, a TypeError or a plain RuntimeError."""

from __future__ import annotations


class DivergenceError(RuntimeError):
    """Training stopped because a loss became NaN or infinite.

    The network's weights are those of the last good epoch (of the start, if there was none).

    Attributes
    ----------
    epoch, batch : int
        Where it happened, both counted from 0 within the call of ``fit``.

    >>> print(DivergenceError(3, 0))
    the loss became NaN or infinite in epoch 3, batch 0 (both counted from 0); the weights are those of the \
last good epoch. A smaller learning rate or clip_norm may help
    """

    def __init__(self, epoch: int, batch: int) -> None:
        self.epoch = epoch
        self.batch = batch
        super().__init__(epoch, batch)

    def __str__(self) -> str:
        good = "last good epoch" if self.epoch else "start (no epoch was good)"
        return (
            f"the loss became NaN or infinite in epoch {self.epoch}, batch {self.batch} "
            f"(both counted from 0); the weights are those of the {good}. "
            f"A smaller learning rate or clip_norm may help"
        )
