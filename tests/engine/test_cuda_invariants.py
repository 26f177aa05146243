"""The invariants that take longest, on the GPU runner over CPU tensors: `test_cuda_runner` has the others."""

import pytest

from tests.engine.test_cuda_runner import twins  # noqa: F401  # a fixture
from tests.engine.test_invariants import (  # noqa: F401  # run here again, with that fixture
    test_a_warm_session_changes_nothing_after_any_edits,
    test_cancelling_anywhere_and_asking_again_gives_the_same_text,
    test_verified_drafts_say_what_full_depth_says,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
