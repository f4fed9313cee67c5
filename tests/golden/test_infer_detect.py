from __future__ import annotations

import numpy as np

from metrabs.estimator import plausibility
from tests.estimator.golden_cases import assert_poses_match, cases_with_estimators, run_case
from tests.golden.tolerances import assert_close


def test_detected_poses_match_the_original(golden):
    data, common = golden("infer_detect"), golden("infer_common")
    for case, model in cases_with_estimators(data, common):
        result = run_case(model, case, data, common)
        if case == "det/aug2_nosup_max3":
            # The original order is arbitrary here, ours is by score.
            order = np.argsort(-data[f"{case}/boxes"][:, 4])
            keys = [f"{case}/{key}" for key in result if f"{case}/{key}" in data]
            data.update({key: data[key][order] for key in keys})
        assert_poses_match(result, case, data)


def test_reasons_for_suppression_match_the_original(golden):
    data, common = golden("infer_detect"), golden("infer_common")
    for name in sorted({key.split("/")[1] for key in data if key.startswith("reasons/")}):
        _check_reasons(
            {k.split("/")[2]: v for k, v in data.items() if f"reasons/{name}/" in k}, common
        )


def _check_reasons(reasons, common):
    mean_poses = reasons["poses3d"].mean(axis=1)
    plausible = plausibility.has_plausible_bones(
        mean_poses, common["joint_edges"], common["bone_lengths"]
    )
    assert plausible.numpy().tolist() == reasons["plausible"].tolist()
    consistent = plausibility.views_agree(reasons["poses3d"])
    assert consistent.numpy().tolist() == reasons["consistent"].tolist()
    stdev = plausibility.joint_stdev(plausibility.align_scales(reasons["poses3d"]))
    assert_close(stdev, reasons["stdev"], rtol=1e-3, atol=0.05)
    ends = np.cumsum(reasons["row_lengths"])
    for i, (start, end) in enumerate(zip(ends - reasons["row_lengths"], ends)):
        similarity = plausibility.pose_similarity(mean_poses[start:end])
        assert_close(similarity, reasons[f"similarity{i}"], rtol=0, atol=1e-4)
