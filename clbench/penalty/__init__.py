"""The penalty family, written once: λ · Σ_group c_group · Σ_k Ω_k · dist(θ_k − θ*_k) · scale."""

from clbench.penalty.anchors import (
    ANCHORS,
    FIXED_ANCHORS,
    anchor_file_problems,
    fixed_anchor,
    moved_anchor,
)
from clbench.penalty.distances import (
    DISTANCES,
    closed_form,
    penalty_value,
    pull_weight,
    shrink,
)
from clbench.penalty.groups import (
    FREEZING,
    SCALES,
    Group,
    coefficients,
    group_of,
    rate_factors,
    unmatched_groups,
)
from clbench.penalty.pull import Pull, anchor_distance
from clbench.penalty.terms import Merged, add_term, merge_term

__all__ = [
    "ANCHORS",
    "DISTANCES",
    "FIXED_ANCHORS",
    "FREEZING",
    "SCALES",
    "Group",
    "Merged",
    "Pull",
    "add_term",
    "anchor_distance",
    "closed_form",
    "coefficients",
    "anchor_file_problems",
    "fixed_anchor",
    "group_of",
    "merge_term",
    "moved_anchor",
    "penalty_value",
    "pull_weight",
    "rate_factors",
    "shrink",
    "unmatched_groups",
]
