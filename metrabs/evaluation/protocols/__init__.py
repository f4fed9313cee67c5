"""Protocols of benchmarks: pure functions from arrays of poses to numbers; they read no files.

The frames, settings and truth of a benchmark are in the module of the same name in
`metrabs.evaluation.benchmarks`.
"""
