from __future__ import annotations

import base64
import hashlib
import json
import re

from pictaxa.reporting.pages import as_data, render, told
from pictaxa.system.language import speaking


def test_only_our_script_runs():
    """The policy of a page names its script by its hash, and nothing is loaded from anywhere."""
    page = render(
        "review.html",
        {"name": "n", "count": 0, "root": "/photos", "word": "photos", "data": as_data([])},
        scripts=("review.js",),
    )
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None and f"sha256-{digest}" in policy[1].replace("&#39;", "'").replace("&#43;", "+")
    assert "default-src &#39;none&#39;" in policy[1]


def test_data_are_json_and_end_no_element():
    """Whatever texts are in them."""
    value = {"name": "</script><!--", "line": "\u2028", "and": "&"}
    text = as_data(value)
    assert json.loads(text) == value and not set(text) & set("<>&\u2028")


def test_names_in_a_sentence_are_isolated():
    """From its direction, and they are text in any language of messages."""
    assert told("{0} pictures", "<i>") == "<bdi>&lt;i&gt;</bdi> pictures"
    assert told("{0} pictures", "a\u202eb") == r"<bdi>a\u202eb</bdi> pictures"
    with speaking("zh"):
        assert told("{0} pictures", 3) == "<bdi>3</bdi> 张图片"
