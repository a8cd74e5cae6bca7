"""How long `import` takes, in fresh interpreters, in turns."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import names, options, pythons, save, setting, spread

# elman loads its parts when they are first asked for: the network is part of what is timed.
CODE = "import time; t = time.perf_counter(); import {0}; {1}; print(time.perf_counter() - t)"
USE = {"elman": "elman.Network"}


def main() -> None:
    """Measure, print and save."""
    args = options(__doc__, ["numpy", "onnxruntime", "torch", "jax"], 11, 1).parse_args()
    seconds: dict[str, list[float]] = {}
    for turn in range(args.repeat + 1):
        for name in names(args):
            done = subprocess.run(
                [pythons(args).get(name, sys.executable), "-c", CODE.format(name, USE.get(name, name))],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0 and turn > 0:  # the first turn fills the disk's cache
                seconds.setdefault(name, []).append(float(done.stdout))
    times = {name: spread(values, 1e3) for name, values in seconds.items()}
    for name, time in times.items():
        print(f"import {name:12} {time['median']:7.1f} ms")
    result = {"what": "milliseconds of an import", **setting(args.threads, []), "times": times}
    save(args.save or "imports", result)


if __name__ == "__main__":
    main()
