"""The options of the command line by the names of the arguments that they become."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from elman.errors import ArgumentTypeError, ArgumentValueError, Mention, MentionError

# The arguments of `read_sequences`, `load_edf` and the estimators that have an option.
OPTIONS = {
    "label": "--label",
    "id": "--id",
    "time": "--time",
    "features": "--features",
    "layout": "--layout",
    "per_step": "--per-step",
    "header": "--header",
    "channels": "--features",
    "fs": "--rate",
    "damaged": "--damaged",
    "hidden_layer_sizes": "--hidden",
    "cell": "--cell",
    "activation": "--activation",
    "bidirectional": "--bidirectional",
    "pooling": "--pooling",
    "max_iter": "--epochs",
    "batch_size": "--batch-size",
    "learning_rate_init": "--rate",
    "learning_rate": "--schedule",
    "input_noise": "--noise",
    "dropout": "--dropout",
    "alpha": "--alpha",
    "clip_norm": "--clip-norm",
    "truncation": "--truncation",
    "n_iter_no_change": "--patience",
    "class_weight": "--balanced",
    "random_state": "--seed",
    "n_jobs": "--threads",
    "dtype": "--dtype",
    "validation_fraction": "--valid-fraction",
}
_SWITCHED_OFF = {"header": "--no-header", "per_step": "--per-sequence"}


def option(argument: str) -> str:
    """Return the option that an argument comes from, or the argument itself if it has none.

    >>> option("max_iter"), option("features[2]"), option("X")
    ('--epochs', '--features', 'X')
    """
    return OPTIONS.get(argument.partition("[")[0], argument)


def spelled(mention: Mention) -> str:
    """Return an argument that a sentence mentions as it is written on the command line.

    >>> spelled(Mention("header", False)), spelled(Mention("layout", "wide")), spelled(Mention("label"))
    ('--no-header', "--layout 'wide'", '--label')
    """
    if mention.value is False:
        return _SWITCHED_OFF[mention.name]
    name = option(mention.name)
    return name if mention.value is None or mention.value is True else f"{name} {mention.value!r}"


@contextmanager
def option_names() -> Iterator[None]:
    """Let errors about arguments name the options. Nothing else of their sentences changes.

    >>> with option_names():
    ...     raise ArgumentValueError("max_iter", "is 0", "an integer of at least 1")
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: --epochs is 0, expected an integer of at least 1
    """
    try:
        yield
    except MentionError as error:
        raise ValueError(error.spelled(spelled)) from None
    except (ArgumentValueError, ArgumentTypeError) as error:
        raise type(error)(option(error.where), error.problem, error.expected) from None
