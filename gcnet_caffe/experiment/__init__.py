"""Whole experiments: from a YAML file to a plan, the workflow that does it, and a run's folder."""

#: Names of what trains a net.
ENGINES = ("torch", "caffe")
#: The options of the torch engine that a run gives to its trainings.
TRAINING_OPTIONS = ("precision", "cuda_graphs")
