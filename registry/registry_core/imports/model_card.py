"""The head of an existing model card: `co2_eq_emissions` in grams, as a number or with its surroundings.

The emissions are declared, since somebody says so; there is no energy in them. Metrics of `model-index` come along
where the head says enough: a split, and a metric of which it is known whether more is better.
"""

from __future__ import annotations

from typing import Any

from registry_core.card_rules import COUNTRIES
from registry_core.errors import InvalidReadme
from registry_core.imports.phases import Device, Run, Said, Source, invalid
from registry_core.imports.reading import counted, number, text_of
from registry_core.readme import card_data, metrics_of_model_index, parse_readme
from registry_core.units import GRAMS_PER_KG

FORM = "model-card"
HIGHER_IS_BETTER = {
    **dict.fromkeys("accuracy f1 precision recall bleu rouge1 rouge2 rougeL exact_match map auc roc_auc".split(), True),
    **dict.fromkeys("pearson spearman cosine_spearman cosine_pearson r2 mcc matthews_correlation ndcg".split(), True),
    **dict.fromkeys("loss perplexity wer cer mse mae rmse".split(), False),
}
_STAGES = {"pre-training": "pretraining", "fine-tuning": "finetuning"}


def read(data: bytes, said: Said) -> Source:  # noqa: ARG001, every reader is told
    """What a README.md says. Raises InvalidImport."""
    try:
        head = parse_readme(text_of(data, FORM)).front_matter
    except InvalidReadme as error:
        raise invalid(FORM, error.faults or (error.message,)) from error
    stated = head.get("co2_eq_emissions")
    if stated is None:
        raise invalid(FORM, ["the head has no co2_eq_emissions"])
    block = stated if isinstance(stated, dict) else {"emissions": stated}
    run = _run(block)
    known = card_data(head)
    notes: list[str] = ["the emissions are declared: no energy stands behind them, and none is made up"]
    tool = block.get("source")
    return Source(
        [run],
        {"tool": tool[:200] if isinstance(tool, str) and tool else "declared"},
        notes,
        task=known.pipeline_tag,
        license=known.license,
        model=_model(head),
        quality=_quality(known.model_index, known.pipeline_tag, notes),
    )


def _run(block: dict[str, Any]) -> Run:
    try:
        grams = number(block.get("emissions"))
    except ValueError as error:
        raise invalid(FORM, [f"co2_eq_emissions: {error}, in grams"]) from error
    if grams is None or grams < 0:
        raise invalid(FORM, ["co2_eq_emissions: names no emissions, in grams"])
    place, kind = _text(block, "geographical_location"), _text(block, "training_type")
    return Run(
        stage=_STAGES.get(kind.lower()),
        devices=_devices(_text(block, "hardware_used")),
        country=place if place in COUNTRIES else None,
        more={"co2e_location": {"value": grams / GRAMS_PER_KG, "unit": "kgCO2e", "source": "declared"}},
    )


def _devices(hardware: str) -> tuple[Device, ...]:
    """`8 x A100` and lists of such; other words say no count, so that a person has to."""
    devices = [counted(text.strip(), _kind(text)) for text in hardware.split(",")]
    return tuple(devices) if " x " in hardware and all(" x " in text for text in hardware.split(",")) else ()


def _kind(text: str) -> str:
    is_processor = any(word in text.lower() for word in ("cpu", "epyc", "xeon", "ryzen", "core(tm)", "graviton"))
    return "cpu" if is_processor else "gpu"


def _text(block: dict[str, Any], name: str) -> str:
    value = block.get(name)
    return value.strip()[:200] if isinstance(value, str) else ""


def _model(head: dict[str, Any]) -> dict[str, Any]:
    """Tags and bases; of a base, the head does not say what was done with it."""
    known, relation = card_data(head), head.get("base_model_relation")
    said = relation if relation in ("finetune", "adapter", "merge", "quantized") else "finetune"
    bases = [{"repo_id": name, "relation": said} for name in known.base_model]
    return {**({"tags": list(known.tags)} if known.tags else {}), **({"base_models": bases} if bases else {})}


def _quality(model_index: list[Any], task: str | None, notes: list[str]) -> list[dict[str, Any]]:
    found = []
    for claim in metrics_of_model_index(model_index):
        higher_is_better = HIGHER_IS_BETTER.get(claim.metric)
        if higher_is_better is None or not claim.split or not claim.dataset or not (claim.task or task):
            notes.append(f"the metric {claim.metric[:80]!r} was left out: the head does not say enough about it")
            continue
        found.append(
            {
                "task": claim.task or task,
                "dataset": claim.dataset,
                "split": claim.split,
                "metric": claim.metric,
                "value": claim.value,
                "higher_is_better": higher_is_better,
            }
        )
    return found
