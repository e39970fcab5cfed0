"""The fixtures of tests/recognition that the page's tests share."""

from tests.recognition.conftest import photograph  # noqa: F401
