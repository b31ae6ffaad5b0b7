"""A study's claims, checked before it trains: what can't be decided afterwards is reported now."""

from __future__ import annotations

from typing import Any

from clbench.errors import known


def claim_problems(claims: Any) -> list[str]:
    """Return a line for every claim (`study.claims`, as plain data) that breaks a rule of their grammar.

    A metric is a metric of continual learning, a final score as `<split>_<score>_<task>`, or a column of
    `training.csv`.
    """
    if not claims:
        return []
    if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
        return [f"study.claims must be a list of mappings; got study.claims={claims}. Write [{{claim: …}}]."]
    from clbench.analysis.claim_grammar import grammar_problems
    from clbench.engine.results import TRAINING_COLUMNS
    from clbench.records.columns import COUNTS, read_final
    from clbench.records.declared import METRICS

    names = (*METRICS, *TRAINING_COLUMNS, *COUNTS)
    found = grammar_problems(claims)
    for number, claim in enumerate(claims):
        metric = str(claim.get("metric", "acc"))
        if metric not in names and read_final(metric) is None:
            where = f"study.claims.{number}.metric={metric}"
            hint = known([*names, "test_<score>_<task>"])
            found.append(f"A metric must be a column of the records; got {where}. {hint}")
    return found
