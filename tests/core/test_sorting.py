"""The order of a list of models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import InvalidWhere
from registry_core.sorting import SORT_COLUMNS, Sort, parse_sort
from registry_core.where import COLUMNS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("energy", Sort("energy_kwh", False)),
        ("-energy_kwh", Sort("energy_kwh", True)),
        ("-updated", Sort("updated_at", True)),
        ("created", Sort("created_at", False)),
        ("name", Sort("name", False)),
        ("size", Sort("size_bytes", False)),
        ("-accuracy", Sort("accuracy", True)),
        ("rouge-l", Sort("rouge-l", False)),
        (" -f1 ", Sort("f1", True)),
    ],
)
def test_order_is_read(text, expected):
    assert parse_sort(text) == expected


@pytest.mark.parametrize("text", ["", "-", "--accuracy", "- accuracy", "task", "-license", "a\nb", "x" * 300])
def test_order_is_refused_with_the_keys_there_are(text):
    with pytest.raises(InvalidWhere) as caught:
        parse_sort(text)
    assert "energy" in caught.value.hint
    assert len(caught.value.message) < 200


def test_every_number_of_the_catalog_can_be_sorted_by():
    assert {name for name, kind in COLUMNS.items() if kind is float} <= SORT_COLUMNS.keys()


def test_only_what_is_no_column_is_a_metric():
    assert parse_sort("accuracy").name == "accuracy"
    assert all(parse_sort(key).name == SORT_COLUMNS[key] for key in SORT_COLUMNS)


@given(st.text(max_size=20))
def test_any_text_is_an_order_or_refused(text):
    try:
        order = parse_sort(text)
    except InvalidWhere:
        return
    assert parse_sort(("-" if order.descending else "") + order.name) == order
