"""READMEs: a head that was read is JSON, and survives writing and reading."""

from __future__ import annotations

import json
import random

from fuzz.documents import change_json

from registry_core import plain_yaml
from registry_core.readme import (
    card_data,
    dump_readme,
    metrics_of_model_index,
    parse_readme,
    split_front_matter,
    validate,
)

SEEDS = [
    b"---\nlicense: mit\ntags: [a, b]\nlanguage: no\n---\n# A model\n",
    b"\xef\xbb\xbf\n---  \r\nbase_model:\r\n- a/b\r\n- c/d\r\n---\r\ntext",
    b"---\nmodel-index:\n- name: x\n  results:\n  - task: {type: t}\n    dataset: {type: d, name: D, split: test}\n"
    b"    metrics:\n    - {type: accuracy, value: 0.9}\n---\n",
    b"---\na: 2020-01-01\nb: 1e400\nc: 0x1f\nd: 99999999999999999999\ne: |\n  folded\n---\n",
    b"---\n- 1\n---\n",
    b"no head",
]


def change(data: bytes, source: random.Random) -> bytes:
    """Another head, as JSON, which is YAML too."""
    head, body = split_front_matter(data.decode(errors="replace"))
    changed = change_json(json.dumps(plain_yaml.load(head or "")).encode(), source)
    return b"---\n" + changed + b"\n---\n" + body.encode()


def read(data: bytes) -> None:
    readme = parse_readme(data.decode(errors="replace"))
    json.dumps(readme.front_matter, allow_nan=False)
    metrics_of_model_index(card_data(readme.front_matter).model_index)
    validate(readme.front_matter, "model")
    assert parse_readme(dump_readme(readme.front_matter, readme.body)) == readme
