"""One page from runs: tables beside the paper's, curves, confusion, pictures, provenance."""

from gcnet_caffe.report.page import write_report

__all__ = ["write_report"]
