"""Shim for installers older than PEP 621; everything is in pyproject.toml."""

from setuptools import setup

setup()
