"""Policies as people write them: one that was read has a digest, and an answer for each of its expressions."""

from __future__ import annotations

import json
import random
from importlib.resources import files

from fuzz.documents import change_json
from tests.core.cards import full_card

from registry_core import plain_yaml
from registry_core.policy.expressions import context_of, evaluate
from registry_core.policy.reading import parse_policy
from registry_core.policy.shipped import SHIPPED, shipped_policy

SEEDS = [
    *((files("registry_core") / "data" / "policies" / f"{name}.yaml").read_bytes() for name in SHIPPED),
    b"policy: lab/1.0\ntitle: Own\nextends: publish/1.0\nonly: [EU-07, MEA-01]\nseverity: warn\nparam: {a: [x, y]}\n",
    b"policy: own/1\ntitle: Own\nparam: {most: 3}\nrules:\n- id: LAB-01\n  standard: ours\n  on: [push]\n"
    b"  severity: {push: block}\n  require: card.phases.all(p, p.pue.value < param.most && p.stage.matches('[a-z]+'))\n"
    b"  missing: fail\n  message: No\n  field: phases[].pue\n",
]
CARD = full_card()


def change(data: bytes, source: random.Random) -> bytes:
    """JSON is YAML too."""
    return change_json(json.dumps(plain_yaml.load(data.decode())).encode(), source)


def read(data: bytes) -> None:
    policy = parse_policy(data, shipped_policy)
    assert len(policy.digest) == 64
    context = context_of({"card": CARD, "param": policy.param})
    for rule in policy.rules:
        for expression in (rule.when, rule.require):
            if expression is not None:
                evaluate(expression, context)
