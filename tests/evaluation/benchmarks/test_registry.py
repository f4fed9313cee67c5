from __future__ import annotations

import pytest

from metrabs.errors import UserError
from metrabs.evaluation.benchmarks.base import Benchmark
from metrabs.evaluation.benchmarks.registry import BENCHMARKS, load_benchmark
from metrabs.skeletons import tables


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks_can_be_loaded_and_predict_exported_skeletons(name):
    benchmark = load_benchmark(name)
    assert issubclass(benchmark, Benchmark) and benchmark.NAME == name
    exported = tables.export_skeletons(tables.merged_joint_info("huge8").names)
    assert benchmark.SETTINGS.skeleton in exported


def test_an_unknown_benchmark_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UserError, match="'coco'.*h36m.*mupots"):
        load_benchmark("coco")
