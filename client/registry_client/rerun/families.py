"""Model families: which network a `config.json` describes, by its `model_type`.

A family is a function of ours from a checked configuration to an untrained network. Nothing that comes with
a model is ever executed. Another family is one function more:

    @family("mlp", MlpConfig)
    def _mlp(config: MlpConfig) -> nn.Module: ...
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from registry_client.rerun import MODEL_TYPES
from registry_core.errors import Invalid
from registry_core.strict import Items, fault_lines, faults_of

Width = Annotated[int, Field(ge=1, le=1_000_000)]


class FamilyConfig(BaseModel):
    """What a family reads in `config.json`; fields that are for others are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class MlpConfig(FamilyConfig):
    """A multilayer perceptron over rows of features."""

    input_features: Width
    hidden_features: Annotated[Items[Width], Field(max_length=1000)]
    output_features: Width
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    activation: Literal["relu", "gelu", "tanh"] = "relu"
    input_scale: Annotated[float, Field(gt=0)] = 1.0  # features are divided by it


Config = TypeVar("Config", bound=FamilyConfig)


@dataclass(frozen=True)
class _Family:
    config: type[FamilyConfig]
    build: Callable[[Any], nn.Module]


_FAMILIES: dict[str, _Family] = {}


def family(
    model_type: str, config: type[Config]
) -> Callable[[Callable[[Config], nn.Module]], Callable[[Config], nn.Module]]:
    """Register a family under the `model_type` that its `config.json` names.

    Raises ValueError for a name that `MODEL_TYPES` does not have.
    """

    if model_type not in MODEL_TYPES:
        raise ValueError(f"Name {model_type!r} among the MODEL_TYPES of registry_client.rerun, too.")

    def register(build: Callable[[Config], nn.Module]) -> Callable[[Config], nn.Module]:
        _FAMILIES[model_type] = _Family(config, build)
        return build

    return register


def families() -> list[str]:
    """The `model_type`s that can be built here."""
    return sorted(_FAMILIES)


def build(config: dict[str, Any]) -> nn.Module:
    """The untrained network that `config` describes, in the device context of the caller.

    Raises Invalid for an unknown family, with the known ones, and for a faulty configuration, with all
    faults.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in _FAMILIES:
        raise Invalid(
            f"config.json names the model_type {model_type!r}, which cannot be built here.",
            hint=f"Known families: {', '.join(families())}.",
        )
    known = _FAMILIES[model_type]
    try:
        checked = known.config.model_validate(config)
    except ValidationError as error:
        faults = fault_lines(faults_of(error))
        raise Invalid(f"config.json is not a valid configuration of {model_type}.", faults=faults) from error
    network: nn.Module = known.build(checked)
    return network


def parse_config(text: bytes) -> dict[str, Any]:
    """The content of a `config.json`. Raises Invalid unless it is a JSON object."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"config.json is not JSON: {error}.") from error
    if not isinstance(config, dict):
        raise Invalid("config.json does not hold a JSON object.")
    return config


class MultilayerPerceptron(nn.Module):
    """Linear layers with an activation and dropout between them: features in, logits out."""

    def __init__(self, config: MlpConfig) -> None:
        super().__init__()
        self.input_scale = config.input_scale
        layers: list[nn.Module] = []
        width = config.input_features
        for hidden in config.hidden_features:
            layers += [nn.Linear(width, hidden), _activation(config.activation), nn.Dropout(config.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, config.output_features))

    def forward(self, features: Tensor) -> Tensor:  # (batch, input_features) -> (batch, output_features)
        logits: Tensor = self.layers(features / self.input_scale)
        return logits


def _activation(name: str) -> nn.Module:
    activations: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
    return activations[name]()


@family("mlp", MlpConfig)
def _mlp(config: MlpConfig) -> nn.Module:
    return MultilayerPerceptron(config)
