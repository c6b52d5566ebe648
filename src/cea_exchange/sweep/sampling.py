"""Points of ranges by SALib, whose warnings are heeded before anything is played."""

import warnings
from collections.abc import Sequence
from typing import Any

from cea_exchange.sweep.libraries import salib
from cea_exchange.sweep.plan_file import PlanError, SensitivityPlan


def problem_of(names: Sequence[str]) -> dict[str, Any]:
    """Return what is sampled, for SALib: parts (0 to 1) of each range."""
    return {"num_vars": len(names), "names": [*names], "bounds": [[0.0, 1.0]] * len(names)}


def sampled(plan: SensitivityPlan, names: Sequence[str]) -> list[list[float]]:
    """Return points of ranges, each a part (0 to 1) of every one.

    Raises
    ------
    PlanError
        The library warns of what is asked for.
    LibraryMissing
        It is not installed.
    """
    library, problem = salib(), problem_of(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            if plan.method == "sobol":
                found = library.sample.sobol.sample(
                    problem, plan.samples, calc_second_order=False, seed=plan.seed
                )
            else:
                found = library.sample.morris.sample(
                    problem, plan.samples, num_levels=plan.levels, seed=plan.seed
                )
        except (Warning, ValueError) as error:
            words = " ".join(str(error).split())
            raise PlanError(
                f"sensitivity: expected what SALib does not warn of, got {plan.samples} samples"
                f" of {plan.method}: {words}"
            ) from error
    return [[float(part) for part in row] for row in found]
