from __future__ import annotations

import pytest
import tensorflow as tf

from tests.estimator.golden_cases import assert_poses_match, cases_with_estimators, run_case


def test_estimated_poses_match_the_original(golden):
    data, common = golden("infer_estimate"), golden("infer_common")
    for case, model in cases_with_estimators(data, common):
        if case.endswith("_unknown"):
            with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown skeleton"):
                run_case(model, case, data, common)
        else:
            assert_poses_match(run_case(model, case, data, common), case, data)
