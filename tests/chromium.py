"""The marks of tests that need a browser: left out without Chromium, but never on CI."""

import os

import pytest

from tools.labs import CHROMIUM

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true", reason="there is no Chromium here"
    ),
]
