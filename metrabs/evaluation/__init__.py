"""Evaluation of predicted poses: metrics, consistency of skeleton formats, benchmarks, reports.

`benchmarks` read data: the frames, settings, truth files and prediction files of each benchmark.
`protocols` are pure functions that compute the numbers of a benchmark from arrays of poses;
`metrics` are those that all benchmarks share.
"""
