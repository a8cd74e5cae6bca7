"""Spectra of windows: the log power spectrum, and power in bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from elman._validation import describe, flag, integer, number
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.features.base import Float64
from elman.features.power_floor import Floored
from elman.features.windows import Function

# The edges are those of clinical EEG: delta below 4 Hz, theta to 8, alpha to 13, beta to 30, gamma above
# (Kane et al. 2017, Clinical Neurophysiology Practice 2, 170-185). Gamma ends below the mains' 50 or 60 Hz.
EEG_BANDS = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}


_FEW = 1 << 14  # numbers in a matrix; above this a fast Fourier transform is faster
_PRODUCT = 1 << 18  # multiplications: OpenBLAS gives a larger product to several threads


def density(fs: float, window: int, begin: int, end: int) -> Function:
    """Return the function from windows (m, F, window) to power spectral density (m, F, K), K = end - begin.

    The mean of each window is subtracted, and the rest is multiplied by Hann's w_i = (1 - cos(2 pi i /
    window)) / 2. With X_k the discrete Fourier transform of the product, P_k = 2 |X_k|^2 / (fs sum w^2),
    without the factor 2 at 0 and at fs/2, for k from begin to end - 1. The unit is x^2/Hz, as in SciPy's
    ``signal.spectrogram(x, fs, "hann", window)``. Bin k is at the frequency k fs / window.

    Few bins are computed by the product with a matrix (window, 2 K) of real and imaginary parts, which
    includes the mean and the Hann window. The product is taken window by window, since BLAS may round a
    product of another shape differently. Many bins are computed by a fast Fourier transform. The choice
    depends on the sizes alone, never on m.
    """
    i, k = np.arange(window), np.arange(begin, end)
    taper = 0.5 - 0.5 * np.cos(2.0 * np.pi * i / window)
    taper *= np.sqrt(2.0 / (fs * np.sum(taper**2)))
    once = 2 * k % window == 0  # 0 and fs/2
    size = 2 * len(k) * window
    if size <= _FEW:
        waves = np.exp(-2j * np.pi / window * (np.outer(i, k) % window)) * taper[:, None]
        waves -= waves.mean(axis=0)
        waves[:, once] /= np.sqrt(2.0)
        matrix = np.hstack([waves.real, waves.imag])

    def of(windows: Float64) -> Float64:
        if size <= _FEW and size * windows.shape[1] <= _PRODUCT:
            parts: Float64 = np.matmul(windows, matrix)
            parts *= parts
            return parts[..., : len(k)] + parts[..., len(k) :]
        mean = np.add.reduce(windows, axis=-1, keepdims=True) / window
        centered = np.subtract(windows, mean, order="C")
        centered *= taper
        spectrum = np.fft.rfft(centered)[..., begin:end]
        power: Float64 = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        power[..., once] /= 2.0
        return power

    return of


class LogSpectrum(Floored):
    """The logarithm of the power spectrum of Hann windows, F channels side by side.

    y_k = ln(P_k + floor), where P_k is the power spectral density of a window without its mean, in units of
    x^2/Hz, as in `scipy.signal.spectrogram`, at the frequencies f_k = k fs / window, 0 < f_k <= max_hz.

    Shapes: (T, F) -> (T', F K): T' = 1 + (T - window) // hop windows, the K frequencies of channel 0 first.

    Parameters
    ----------
    fs : float, above 0
        The sampling rate, Hz.
    window : int, at least 2
        Samples per window; frequencies are fs / window apart.
    hop : int, at least 1, or None
        Samples from the beginning of a window to that of the next; None takes half a window.
    max_hz : float or None
        The highest frequency, from fs / window to fs / 2; None takes fs / 2.
    floor : float, above 0, or None
        Added to the density, in units of x^2/Hz, so that a flat channel has a logarithm. None learns it from
        the training data, far below their noise, so that the unit of x does not matter.

    Attributes
    ----------
    floor_ : (F,) array
        With ``floor=None``: 2 / fs times 1e-15 of the variance of each channel, which is 1e-15 of its mean
        density, plus 1e-22 of its mean square, for the rounding of a constant.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, or the sequence that is shorter than a window.

    Source: Welch 1967, IEEE Transactions on Audio and Electroacoustics 15(2), 70-73, without the average.

    >>> import numpy as np
    >>> spectrum = LogSpectrum(fs=100.0, window=10, hop=5, max_hz=30.0).fit([np.zeros((10, 2))])
    >>> spectrum.get_feature_names_out(["Fz", "Cz"]).tolist()
    ['Fz_10Hz', 'Fz_20Hz', 'Fz_30Hz', 'Cz_10Hz', 'Cz_20Hz', 'Cz_30Hz']
    >>> wave = np.sin(2 * np.pi * 20.0 * np.arange(100) / 100.0)
    >>> int(spectrum.fit_transform([wave])[0][0].argmax())
    1
    """

    def __init__(
        self, fs: Any, window: Any = 256, hop: Any = None, max_hz: Any = None, *, floor: Any = None
    ) -> None:
        self.fs = fs
        self.window = window
        self.hop = hop
        self.max_hz = max_hz
        self.floor = floor

    def _cut(self) -> tuple[int | None, int]:
        window = integer("window", self.window, 2)
        return window, window // 2 if self.hop is None else integer("hop", self.hop, 1)

    def check_parameters(self) -> None:
        super().check_parameters()
        window, fs = self._cut()[0] or 0, number("fs", self.fs, positive=True)
        self.check_floor()
        if self.max_hz is not None and not (
            fs / window <= number("max_hz", self.max_hz, positive=True) <= fs / 2
        ):
            raise ArgumentValueError(
                "max_hz", f"is {self.max_hz}", f"from {fs / window:g} (fs / window) to {fs / 2:g} (fs / 2)"
            )

    def frequencies(self) -> Float64:
        """Return the K frequencies, Hz."""
        self.check_parameters()
        window = self._cut()[0] or 0
        every = np.arange(1, window // 2 + 1) * float(self.fs) / window
        return every if self.max_hz is None else every[every <= self.max_hz]

    def _function(self, window: int) -> Function:
        count = len(self.frequencies())
        power = density(float(self.fs), window, 1, count + 1)
        floor = self._addend(count)

        def log_spectrum(windows: Float64) -> Float64:
            values = power(windows)
            values += floor
            return np.log(values, out=values).reshape(len(windows), -1)

        return log_spectrum

    def _per_variance(self) -> float:
        return 2.0 / float(self.fs)

    @property
    def n_features_out(self) -> int:
        return len(self.frequencies()) * self.n_channels

    def _names(self, channels: list[str]) -> list[str]:
        return [f"{channel}_{hz:g}Hz" for channel in channels for hz in self.frequencies().tolist()]


class BandPower(Floored):
    """The logarithm of the power in bands of frequencies, in Hann windows or in whole sequences.

    y_b = ln(sum of P_k fs / window over low <= k fs / window < high, plus floor), with P_k as for
    `LogSpectrum`. The sum is the mean square of the window within the band, in units of x^2.

    Shapes: (T, F) -> (T', F B), the B bands of channel 0 first. With ``window=None`` each sequence is one
    window and gives one row, so the result is 2-D, (n, F B), for any of scikit-learn's classifiers.

    Parameters
    ----------
    fs : float, above 0
        The sampling rate, Hz.
    bands : dict of (low, high) in Hz by name, a list of such pairs, or None
        None takes the bands of EEG: delta 0.5-4, theta 4-8, alpha 8-13, beta 13-30, gamma 30-45 Hz.
    window : int, at least 2, or None
        Samples per window; None takes the whole sequence.
    hop : int, at least 1, or None
        Samples from the beginning of a window to that of the next; None takes half a window.
    log : bool
        False gives the power itself, without ``floor``.
    floor : float, above 0, or None
        Added to the power before the logarithm, in units of x^2. None learns it, as for `LogSpectrum`.

    Attributes
    ----------
    floor_ : (F,) array
        With ``floor=None`` and ``log``: 1e-15 of the variance of each channel plus 1e-22 of its mean square.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, or the sequence that is shorter than a window. ValueError also if a band contains
        no frequency of the window, or reaches above fs / 2.

    Source of the default bands' edges 4, 8, 13 and 30 Hz: Kane et al. 2017, Clinical Neurophysiology Practice
    2, 170-185.

    >>> import numpy as np
    >>> wave = 2.0 * np.sin(2 * np.pi * 10.0 * np.arange(256) / 128.0)
    >>> power = BandPower(fs=128.0, window=None, log=False).fit_transform([wave])
    >>> power.round(3).tolist()
    [[0.0, 0.0, 2.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        fs: Any,
        bands: Any = None,
        window: Any = 256,
        hop: Any = None,
        *,
        log: bool = True,
        floor: Any = None,
    ) -> None:
        self.fs = fs
        self.bands = bands
        self.window = window
        self.hop = hop
        self.log = log
        self.floor = floor

    def _cut(self) -> tuple[int | None, int]:
        if self.window is None:
            if self.hop is not None:
                raise ArgumentValueError("hop", f"is {describe(self.hop)}", "None with window None")
            return None, 1
        window = integer("window", self.window, 2)
        return window, window // 2 if self.hop is None else integer("hop", self.hop, 1)

    def _edges(self) -> dict[str, tuple[float, float]]:
        """Return the bands, checked."""
        fs = number("fs", self.fs, positive=True)
        bands = EEG_BANDS if self.bands is None else self.bands
        if not isinstance(bands, (Mapping, list, tuple, np.ndarray)):
            raise ArgumentTypeError(
                "bands", f"is {describe(bands)}", "(low, high) in Hz by name, or a list of pairs"
            )
        if isinstance(bands, Mapping):
            edges = {str(name): _pair(f"bands[{name!r}]", pair, fs) for name, pair in bands.items()}
        else:
            checked = [_pair(f"bands[{i}]", pair, fs) for i, pair in enumerate(bands)]
            edges = {f"{low:g}-{high:g}Hz": (low, high) for low, high in checked}
        if not edges or len(edges) < len(bands):
            raise ArgumentValueError("bands", f"is {describe(bands)}", "at least one band, and none twice")
        return edges

    def check_parameters(self) -> None:
        self._edges()
        flag("log", self.log)
        self.check_floor()
        super().check_parameters()

    def _function(self, window: int) -> Function:
        fs = float(self.fs)
        every = np.arange(window // 2 + 1) * fs / window
        edges = []
        for name, (low, high) in self._edges().items():
            begin, end = np.searchsorted(every, [low, high]).tolist()
            if begin == end:
                raise ArgumentValueError(
                    f"the band {name} ({low:g} to {high:g} Hz)",
                    f"has no frequency of a window of {window} samples, which are {fs / window:g} Hz apart: "
                    f"take a longer window or wider bands",
                )
            edges.append((begin, end))
        first, last = min(begin for begin, _ in edges), max(end for _, end in edges)
        bins = np.arange(first, last)
        members = np.array([(begin <= bins) & (bins < end) for begin, end in edges], np.float64).T  # (K, B)
        power = density(float(window), window, first, last)  # bins are 1 apart: the power of each
        log, floor = self.log, self._addend(len(edges))

        def band_power(windows: Float64) -> Float64:
            values: Float64 = np.matmul(power(windows), members)
            if log:
                values += floor
                np.log(values, out=values)
            return values.reshape(len(windows), -1)

        return band_power

    def _takes_floor(self) -> bool:
        return bool(self.log) and super()._takes_floor()

    def _per_variance(self) -> float:
        return 1.0

    def _names(self, channels: list[str]) -> list[str]:
        return [f"{channel}_{name}" for channel in channels for name in self._edges()]


def _pair(name: str, pair: Any, fs: float) -> tuple[float, float]:
    if not isinstance(pair, (tuple, list, np.ndarray)) or len(pair) != 2:
        raise ArgumentTypeError(name, f"is {describe(pair)}", "(low, high) in Hz")
    low, high = number(f"{name}[0]", pair[0]), number(f"{name}[1]", pair[1], positive=True)
    if not low < high <= fs / 2:
        raise ArgumentValueError(name, f"is {low:g} to {high:g} Hz", f"low < high <= {fs / 2:g} (fs / 2)")
    return low, high
