"""Benchmarks: their frames, settings, truth files and prediction files.

The numbers of a benchmark are computed in the module of the same name in
`metrabs.evaluation.protocols`.
"""
