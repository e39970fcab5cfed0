"""Whole experiments: from a YAML file to a plan, the workflow that does it, and a run's folder."""
