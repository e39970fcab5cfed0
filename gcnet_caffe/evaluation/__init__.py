"""How good a trained net is: its test set, baselines, generated images, a run's summary."""
