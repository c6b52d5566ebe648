"""The plan of a year's setting, in force while the year is played and looked at."""

from contextlib import AbstractContextManager, nullcontext

from cea_exchange.domain.compliance.plans.plan import plans_tried
from cea_exchange.year.setting import YearSetting


def own_plan(setting: YearSetting) -> AbstractContextManager[None]:
    """Let the setting's own plan be in force within; without one the packaged plans are."""
    return plans_tried(setting.plan, "of one's own") if setting.plan else nullcontext()
