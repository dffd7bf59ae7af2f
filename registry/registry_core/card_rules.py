"""The rules of a footprint card that are about words and about several numbers at once.

The first half are types of text that check themselves inside a strict model; the second half are the rules
across fields. A rule raises ValueError with what is wrong; the model knows the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from registry_core.errors import Invalid
from registry_core.ids import Digest, RepoPath
from registry_core.strict import Faults, place

SCHEMA_NAME = "footprint-card"
MAJOR, MINOR = 1, 0
TOLERANCE = 0.005  # of a derived number against its recomputation
SERVER_FIELDS = (
    "subject.repo_id",
    "subject.revision",
    "model.size_bytes",
    "totals",
    "lineage",
    "label",
    "reuse",
)

_SCHEMA = re.compile(rf"{SCHEMA_NAME}/(0|[1-9][0-9]{{0,5}})\.(0|[1-9][0-9]{{0,5}})")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|\+00:00)")
_LICENSE_REF = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")

# ISO 3166-1 alpha-3, the officially assigned codes.
COUNTRIES = frozenset(
    re.findall(
        "[A-Z]{3}",
        """
        ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR
        BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL
        COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK
        FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV
        HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO
        LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG
        MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN
        PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE
        SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO
        TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
        """,
    )
)


def moment(text: str) -> datetime:
    """An RFC 3339 moment in UTC; ValueError for anything else."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"expected a moment in UTC like 2026-11-21T08:00:00Z, got {text[:80]!r}")
    return datetime.fromisoformat(text)


def _moment_text(text: str) -> str:
    moment(text)
    return text


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise ValueError(f"expected an ISO 3166-1 alpha-3 country like FRA, got {text[:80]!r}")
    return text


def _license(text: str) -> str:
    if text == "other":
        return text
    try:
        unknown = _unknown_licenses(text)
    except Exception as error:  # the parser's faults have no common class below Exception
        raise ValueError(f"{text[:80]!r} is not an SPDX licence expression") from error
    if unknown:
        names = ", ".join(name[:80] for name in unknown)
        raise ValueError(f"not in the SPDX licence list: {names} (use LicenseRef-… for your own, or other)")
    return text


def _unknown_licenses(text: str) -> list[str]:
    licensing = _licensing()
    # Parsed strictly, so that an exception stands only after WITH and a licence only before it.
    tree = licensing.parse(_without_references(text), strict=True)
    return [str(name) for name in licensing.unknown_license_keys(tree)]


def _without_references(text: str) -> str:
    return re.sub(rf"(?<![^\s()]){_LICENSE_REF.pattern}(?![^\s()])", "MIT", text)


@cache
def _licensing() -> Any:
    # Imported when the first licence is read, since it loads the whole list of licences.
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _digest(text: str) -> str:
    return str(_checked(Digest, text))


def _path(text: str) -> str:
    return str(_checked(RepoPath, text))


def _checked(kind: type[Digest] | type[RepoPath], text: str) -> str:
    try:
        return kind(text)
    except Invalid as error:
        raise ValueError(error.message) from error


Moment = Annotated[str, AfterValidator(_moment_text)]
Country = Annotated[str, AfterValidator(_country)]
License = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_license)]
DigestText = Annotated[str, AfterValidator(_digest)]
PathText = Annotated[str, AfterValidator(_path)]
Task = Annotated[str, Field(pattern="^[a-z0-9-]+$", max_length=96)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Subdivision = Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{1,3}$")]


def check_unique(names: Iterable[str], what: str) -> None:
    """Every name once."""
    seen: set[str] = set()
    twice = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if twice:
        raise ValueError(f"names the {what} {twice[0][:200]!r} more than once")


def check_order(started_at: str, ended_at: str) -> None:
    """A span ends when it started, or later."""
    if moment(ended_at) < moment(started_at):
        raise ValueError(f"is {ended_at}, before started_at {started_at}")


def check_sum(derived: float, parts_kwh: Sequence[float]) -> None:
    """A derived `energy_it` is the sum of the parts that are given."""
    if not parts_kwh:
        raise ValueError(
            "is derived from the parts energy_gpu, energy_cpu, energy_ram, energy_other, and none is given"
        )
    _check_close(derived, sum(parts_kwh), "kWh, the sum of the parts")


def check_co2e(given_kg: float, energy_kwh: float, pue: float, intensity_g_per_kwh: float) -> None:
    """Location-based emissions are energy x PUE x intensity / 1000."""
    _check_close(given_kg, energy_kwh * pue * intensity_g_per_kwh / 1000, "kgCO2e, energy_it x pue x intensity / 1000")


def _check_close(given: float, computed: float, what: str) -> None:
    if abs(given - computed) > TOLERANCE * abs(computed):
        raise ValueError(f"is {given:g}, more than 0.5 % from {computed:g} {what}")


def version_of(document: Any) -> tuple[int, int] | None:
    """(major, minor) of the document's schema; None when it does not name one."""
    named = document.get("schema") if isinstance(document, Mapping) else None
    found = _SCHEMA.fullmatch(named) if isinstance(named, str) else None
    return (int(found[1]), int(found[2])) if found else None


def server_fields_in(document: Any) -> Faults:
    """A fault for each field that only the server fills, whatever the minor version."""
    return {
        place(path.split(".")): "is filled by the server; leave it out"
        for path in SERVER_FIELDS
        if _has(document, path.split("."))
    }


def _has(document: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(document, Mapping) or name not in document:
            return False
        document = document[name]
    return True
