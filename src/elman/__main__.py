"""``python -m elman`` is ``elman``."""

import sys

from elman.cli.main import main

sys.exit(main())
