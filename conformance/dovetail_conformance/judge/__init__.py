"""The judge of the conformance suite: it knows how right a result must be, and nothing of any backend.

A reference says what the result should have been (``evaluate`` for formulas, ``exact_*`` for sums and
products, ``derivative`` for gradients), an agreement from the record of the op how far it may be off, and
``judge`` holds one against the other.

    from dovetail_conformance.judge import Case, evaluate, judge

    expected = evaluate(lambda m, x: m.exp(x), x)
    judge(agree, got, expected, Case("exp", "float32", {"input": x}, device="numpy:cpu:0")).check()
"""

from __future__ import annotations

from dovetail_conformance.judge.agreement import Agreement as Agreement
from dovetail_conformance.judge.agreement import Bounds as Bounds
from dovetail_conformance.judge.classes import flush as flush
from dovetail_conformance.judge.classes import judge as judge
from dovetail_conformance.judge.distributions import judge_continuous as judge_continuous
from dovetail_conformance.judge.distributions import judge_counts as judge_counts
from dovetail_conformance.judge.exact import exact_cumprod as exact_cumprod
from dovetail_conformance.judge.exact import exact_cumsum as exact_cumsum
from dovetail_conformance.judge.exact import exact_dot as exact_dot
from dovetail_conformance.judge.exact import exact_matmul as exact_matmul
from dovetail_conformance.judge.exact import exact_mean as exact_mean
from dovetail_conformance.judge.exact import exact_norm as exact_norm
from dovetail_conformance.judge.exact import exact_prod as exact_prod
from dovetail_conformance.judge.exact import exact_std as exact_std
from dovetail_conformance.judge.exact import exact_sum as exact_sum
from dovetail_conformance.judge.exact import exact_var as exact_var
from dovetail_conformance.judge.functions import FUNCTIONS as FUNCTIONS
from dovetail_conformance.judge.number import Formula as Formula
from dovetail_conformance.judge.number import Maths as Maths
from dovetail_conformance.judge.number import Number as Number
from dovetail_conformance.judge.numpy_face import formula_of as formula_of
from dovetail_conformance.judge.reference import Reference as Reference
from dovetail_conformance.judge.reference import derivative as derivative
from dovetail_conformance.judge.reference import evaluate as evaluate
from dovetail_conformance.judge.reference import from_fractions as from_fractions
from dovetail_conformance.judge.reference import square_root as square_root
from dovetail_conformance.judge.running import Running as Running
from dovetail_conformance.judge.ulp import FORMATS as FORMATS
from dovetail_conformance.judge.ulp import Format as Format
from dovetail_conformance.judge.ulp import format_of as format_of
from dovetail_conformance.judge.ulp import round_to as round_to
from dovetail_conformance.judge.ulp import ulp_at as ulp_at
from dovetail_conformance.judge.ulp import ulps as ulps
from dovetail_conformance.judge.verdict import Case as Case
from dovetail_conformance.judge.verdict import Verdict as Verdict
from dovetail_conformance.judge.verdict import merged as merged
