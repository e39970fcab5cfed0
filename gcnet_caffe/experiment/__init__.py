"""Runs of several steps: what is trained after what, and where it all lies."""
