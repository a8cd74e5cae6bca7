"""Benchmarks: peers side by side, each answer proved equal before its time is taken."""
