"""Measurements of speed and memory; each prints a table of values, references and ratios."""

from metrabs.command import quiet_tensorflow

quiet_tensorflow()  # before the benchmarks import it
