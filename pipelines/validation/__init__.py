"""Validation: facts about every row, judged by the suites; the last place that sees a meter point number."""
