"""A synthetic Britain: the events of the rollout from 2012 on, as suppliers and the DCC would have sent them."""

from pipelines.synthetic.generate import generate
from pipelines.synthetic.plan import Plan, PlanError, meters_for
from pipelines.synthetic.report import Report, compare, contradictions, report_lines

__all__ = ["Plan", "PlanError", "Report", "compare", "contradictions", "generate", "meters_for", "report_lines"]
