"""Table of the benchmarks on which models can be evaluated."""

from __future__ import annotations

from metrabs.evaluation.benchmarks.base import Benchmark
from metrabs.importing import import_registered

# Add a line here for a new benchmark.
BENCHMARKS = {
    "h36m": "metrabs.evaluation.benchmarks.human36m:Human36M",
    "tdhp": "metrabs.evaluation.benchmarks.mpi_inf_3dhp:MpiInf3dhp",
    "tdpw": "metrabs.evaluation.benchmarks.three_dpw:ThreeDpw",
    "mupots": "metrabs.evaluation.benchmarks.mupots:MuPoTS",
}


def load_benchmark(name: str) -> type[Benchmark]:
    """Returns the class of a benchmark.

    Raises:
        UserError: there is no benchmark of that name.
    """
    return import_registered("benchmark", name, BENCHMARKS)
