"""Exact conversions between the one unit each kind of number has here and the units of sensors and people."""

from __future__ import annotations

SECONDS_PER_HOUR = 3600.0
GRAMS_PER_KG = 1000.0
WATTS_PER_KILOWATT = 1000.0


def hours_from_seconds(duration_seconds: float) -> float:
    """Duration in hours."""
    return duration_seconds / SECONDS_PER_HOUR


def grams_from_kg(mass_kg: float) -> float:
    """Mass in grams."""
    return mass_kg * GRAMS_PER_KG


def energy_text(energy_kwh: float | None) -> str:
    """Energy for people: `1.2 kWh`, `340 mWh`; `–` when it is not known."""
    return "–" if energy_kwh is None else _scaled(energy_kwh * 1000, "Wh")


def co2e_text(co2e_kg: float | None) -> str:
    """Mass of CO2e for people: `12 g CO2e`, `1.3 t CO2e`; `–` when it is not known."""
    if co2e_kg is None:
        return "–"
    # Nobody says megagram.
    return f"{_scaled(co2e_kg / 1000, 't') if co2e_kg >= 999.5 else _scaled(co2e_kg * 1000, 'g')} CO2e"


def water_text(water_litres: float | None) -> str:
    """Volume for people: `1.5 L`; `–` when it is not known."""
    return "–" if water_litres is None else _scaled(water_litres, "L")


def cost_text(cost: float | None, currency: str | None) -> str:
    """Money for people: `80.00 EUR`; `–` when it is not known."""
    return "–" if cost is None or currency is None else f"{cost:,.2f} {currency}"


def duration_text(duration_seconds: float | None) -> str:
    """A span for people: `850 ms`, `12.3 s`, `4 min 10 s`, `3 h 05 min`, `12 d 4 h`; `–` when not known."""
    if duration_seconds is None:
        return "–"
    # The bounds are where rounding would reach the next unit: 59.97 s would read 60.0 s.
    if duration_seconds < 0.9995:
        return f"{duration_seconds * 1000:.0f} ms"
    if duration_seconds < 59.95:
        return f"{duration_seconds:.1f} s"
    minutes, seconds = divmod(round(duration_seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def size_text(size_bytes: int | None) -> str:
    """Bytes for people, in decimal steps: `512 B`, `90.9 MB`; `–` when it is not known."""
    if size_bytes is None:
        return "–"
    return f"{size_bytes} B" if size_bytes < 1000 else _scaled(float(size_bytes), "B")


def count_text(count: int | None) -> str:
    """A count for people: `512`, `22.7 M`, `1.1 G`; `–` when it is not known."""
    if count is None:
        return "–"
    return str(count) if count < 1000 else _scaled(float(count), "").rstrip()


def _scaled(value: float, unit: str) -> str:
    """Three significant digits with an SI prefix."""
    steps = [
        (1e18, "E"),
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
        (1.0, ""),
        (1e-3, "m"),
        (1e-6, "µ"),
        (1e-9, "n"),
    ]
    if value == 0:
        return f"0 {unit}"
    for factor, prefix in steps:
        # 999.6 would round to 1000 of this unit: the next larger prefix says it better.
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
