"""The benchmarks on which models are evaluated: their frames, truth, predictions and numbers."""

from __future__ import annotations

from data_preparation.benchmarks.benchmark import Benchmark
from data_preparation.common.importing import imported_from_table

# Add a line here for a new benchmark.
BENCHMARKS = {
    "h36m": "data_preparation.benchmarks.human36m:Human36M",
    "tdhp": "data_preparation.benchmarks.mpi_inf_3dhp:MpiInf3dhp",
    "tdpw": "data_preparation.benchmarks.three_dpw:ThreeDpw",
    "mupots": "data_preparation.benchmarks.mupots:MuPoTS",
}


def load_benchmark(name: str) -> type[Benchmark]:
    """Imports the class of a benchmark.

    Raises:
        UserError: there is none of that name.
    """
    return imported_from_table("benchmark", name, BENCHMARKS)
