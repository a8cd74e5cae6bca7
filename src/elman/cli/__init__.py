"""The `elman` command: its options, its commands, and what they print."""
