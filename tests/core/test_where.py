"""The `--where` language: what it says, what it refuses, and what it means when a number is missing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry_core.errors import InvalidWhere
from registry_core.where import (
    COLUMNS,
    MAX_COMPARISONS,
    SHORT_NAMES,
    And,
    Comparison,
    In,
    Not,
    Or,
    evaluate,
    is_metric_name,
    names,
    parse_where,
)

CHEAP = Comparison("energy_kwh", "<", 0.5)
GOOD = Comparison("accuracy", ">=", 0.9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("energy_kwh < 0.5", CHEAP),
        ("  energy_kwh<.5 ", CHEAP),
        ("0.5 > energy_kwh", CHEAP),
        ("energy_kwh < 0.5 and accuracy >= 0.9", And((CHEAP, GOOD))),
        ("energy_kwh < 0.5 or not accuracy >= 0.9", Or((CHEAP, Not(GOOD)))),
        ("accuracy >= 0.9 and (energy_kwh < 0.5 or accuracy >= 0.9)", And((GOOD, Or((CHEAP, GOOD))))),
        ("0.9 <= accuracy < 1", And((GOOD, Comparison("accuracy", "<", 1)))),
        ("parameters == 1_000_000", Comparison("parameters", "==", 1_000_000)),
        ("loss > -1e-3", Comparison("loss", ">", -0.001)),
        ("-2 != loss", Comparison("loss", "!=", -2)),
        ('task == "fill-mask"', Comparison("task", "==", "fill-mask")),
        ("'mit' != license", Comparison("license", "!=", "mit")),
        ('author == "tëst #1"', Comparison("author", "==", "tëst #1")),
        ('task in ("a", "b")', In("task", ("a", "b"))),
        ('task in ("a")', In("task", ("a",))),
        ("map50 not in (1, 2.5)", Not(In("map50", (1, 2.5)))),
        ('metric("rouge-l") >= 0.4', Comparison("rouge-l", ">=", 0.4)),
        ('0.4 <= metric("f1.macro")', Comparison("f1.macro", ">=", 0.4)),
        ('metric("size") > 3', Comparison("size", ">", 3)),
    ],
)
def test_condition_is_read(text, expected):
    assert parse_where(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1 to 1000 characters"),
        ("a > " + "1" * 1000, "1 to 1000 characters"),
        ("accuracy > > 1", "at character 12, near '> 1'"),
        ("accuracy >", "at its end"),
        ("accuracy", "a condition compares a name with"),
        ("True", "a condition compares a name with"),
        ("not 1", "a condition compares a name with"),
        ("accuracy = 1", "invalid syntax"),
        ("accuracy > True", "a number or a text in quotes should stand"),
        ("accuracy > -True", "a number or a text in quotes should stand"),
        ("accuracy == None", "a number or a text in quotes should stand"),
        ("accuracy > loss", "a number or a text in quotes should stand"),
        ("1 < 2", "here a name should stand"),
        ('"a" in task', "here a name should stand"),
        ("accuracy is 1", "compare by"),
        ("a > 1 < 2", "here a name should stand"),
        ("task == 1", "task is a text and cannot be compared with a number"),
        ('task in ("a", 1)', "task is a text and cannot be compared with a number"),
        ('accuracy == "high"', "accuracy is a number and cannot be compared with a text"),
        ('energy_kwh == "low"', "energy_kwh is a number and cannot be compared with a text"),
        ('task < "b"', "texts are compared by"),
        ("energy < 1", "write energy_kwh, which says the unit"),
        ("a > 1e999", "too large"),
        ("a > 9223372036854775808", "63 bits"),
        ("a > -9223372036854775809", "63 bits"),
        ("task in ()", "at least one value"),
        ("task in [1]", "not part of the language"),
        ('metric("energy_kwh") > 1', "cannot be the name of a metric"),
        ('metric("") > 1', "cannot be the name of a metric"),
        ("metric(accuracy) > 1", "here a name should stand"),
        ('metric("a", "b") > 1', "here a name should stand"),
        ('open("a") > 1', "here a name should stand"),
        ("rouge-l > 0.4", "here a name should stand"),
        ("f1.macro > 0.4", "at character 3, near '.macro > 0.4': this is not part of the language"),
        ("a > 1and b > 2", "at character 5"),
        ("a > 0x1f", "at character 5"),
        ("a > 1j", "at character 5"),
        ("a > 1.2.3", "at character 5"),
        ("a > 1 # comment", "at character 7"),
        ('a == f"{b}"', "at character 6"),
        ('task == "a\\x00"', "at character 9"),
        ("a > 1\x00", "at character 6"),
        ("a > 1\nand b > 1", "at character 6"),
        ("(a := 1) > 1", "at character 4"),
        ("ａ > 1", "at character 1"),
        ("(lambda) > 1", "invalid syntax"),
        ("(1 if a else 2) > 1", "here a name should stand"),
        ('task == "\ud800"', "not Unicode"),
        ('author == "ëëëë" and a', "at character 22, near 'a'"),
    ],
)
def test_condition_is_refused_with_place_and_example(text, message):
    with pytest.raises(InvalidWhere) as caught:
        parse_where(text)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint.startswith("Write for example: ")


@pytest.mark.parametrize(
    "text",
    [
        "not " * 240 + "a > 1",
        "(" * 400 + "a > 1" + ")" * 400,
        "a > " + "-" * 900 + "1",
        "a > " + "(" * 900,
        " or ".join(["a>1"] * (MAX_COMPARISONS + 1)),
        "1" + "<a<1" * (MAX_COMPARISONS // 2 + 1),
    ],
    ids=["not", "parentheses", "minus", "open", "or", "chain"],
)
def test_bomb_is_refused(text):
    assert len(text) <= 1000
    with pytest.raises(InvalidWhere):
        parse_where(text)


def test_as_many_comparisons_as_allowed_are_read():
    assert len(parse_where(" or ".join(["a>1"] * MAX_COMPARISONS)).conditions) == MAX_COMPARISONS


def test_names_are_those_of_columns_and_metrics():
    text = 'energy_kwh < 1 and not (task in ("a", "b") or metric("rouge-l") > 0 or energy_kwh > 0)'
    assert names(parse_where(text)) == {"energy_kwh", "task", "rouge-l"}


MODEL = {"accuracy": 0.9, "loss": 0, "task": "fill-mask", "parameters": 2**60}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy >= 0.9", True),
        ("accuracy > 0.9", False),
        ("accuracy <= 0.9", True),
        ("accuracy < 0.9", False),
        ("accuracy == 0.9", True),
        ("accuracy != 0.9", False),
        ("loss == 0", True),
        ("parameters == 1152921504606846976", True),
        ('task == "fill-mask"', True),
        ('task in ("a", "fill-mask")', True),
        ('task not in ("a", "fill-mask")', False),
        ("f1 > 0", None),
        ("not f1 > 0", None),
        ("f1 in (1, 2)", None),
        ("f1 not in (1, 2)", None),
        ("f1 != 1", None),
        ("f1 > 0 and accuracy > 1", False),
        ("f1 > 0 and accuracy < 1", None),
        ("f1 > 0 or accuracy < 1", True),
        ("f1 > 0 or accuracy > 1", None),
        ("f1 > 0 or not f1 > 0", None),
    ],
)
def test_condition_holds_or_not_or_nobody_knows(text, expected):
    assert evaluate(parse_where(text), MODEL.get) is expected


NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["Cc"]), max_size=8)
NUMBER_NAMES = st.one_of(
    st.sampled_from([name for name, kind in COLUMNS.items() if kind is float]),
    st.sampled_from(["accuracy", "rouge-l", "f1.macro", "size", "in", "True", "wer (%)", "ü"]),
)
TEXT_NAMES = st.sampled_from([name for name, kind in COLUMNS.items() if kind is str])
LEAVES = st.one_of(
    st.builds(Comparison, NUMBER_NAMES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS),
    st.builds(Comparison, TEXT_NAMES, st.sampled_from(["==", "!="]), TEXTS),
    st.builds(In, NUMBER_NAMES, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)),
    st.builds(In, TEXT_NAMES, st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def rendered(condition) -> str:
    match condition:
        case Not(inner):
            return f"not ({rendered(inner)})"
        case And(conditions):
            return " and ".join(f"({rendered(one)})" for one in conditions)
        case Or(conditions):
            return " or ".join(f"({rendered(one)})" for one in conditions)
        case In(name, values):
            return f"{rendered_name(name)} in ({', '.join(map(literal, values))},)"
        case Comparison(name, operator, value):
            return f"{rendered_name(name)} {operator} {literal(value)}"


def rendered_name(name: str) -> str:
    return name if name in COLUMNS else f'metric("{name}")'


def literal(value) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


@given(CONDITIONS)
def test_condition_survives_writing_and_reading(condition):
    text = rendered(condition)
    if len(text) <= 1000:
        assert parse_where(text) == condition


@given(CONDITIONS)
def test_condition_on_an_unknown_model_is_unknown(condition):
    assert evaluate(condition, lambda name: None) is None


@given(CONDITIONS, st.dictionaries(NUMBER_NAMES, NUMBERS))
def test_not_turns_the_answer_and_keeps_what_is_unknown(condition, numbers):
    answer = evaluate(condition, numbers.get)
    assert evaluate(Not(condition), numbers.get) is (None if answer is None else not answer)
    assert evaluate(And((condition, condition)), numbers.get) is answer
    assert evaluate(Or((condition, condition)), numbers.get) is answer


WORDS = [
    "and",
    "or",
    "not",
    "in",
    "a",
    "task",
    "metric",
    "(",
    ")",
    ",",
    "<",
    "==",
    "=",
    "1",
    "-",
    "1e9",
    '"x"',
    "None",
]
WORDS += [
    "lambda",
    "if",
    "else",
    "await",
    "yield",
    "is",
    "*",
    ".",
    "[",
    "]",
    "{",
    "}",
    ":",
    ";",
    "\\",
    "'",
    "_",
    "f''",
]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join)))
@example("a > 1if a else 2")
@example("'\\d' == task")
@example("\ufeffa > 1")
@example("#")
@example("a\x0c > 1")
def test_any_text_is_read_or_refused(text):
    try:
        condition = parse_where(text)
    except InvalidWhere:
        return
    assert parse_where(rendered(condition)) == condition


@pytest.mark.parametrize("name", ["accuracy", "rouge-l", "f1.macro", "WER (%)", "größe"])
def test_metric_may_be_called_so(name):
    assert is_metric_name(name)


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\x00", "energy_kwh", "x" * 201, "\ud800"])
def test_metric_may_not_be_called_so(name):
    assert not is_metric_name(name)


def test_short_names_stand_for_columns():
    assert set(SHORT_NAMES.values()) < set(COLUMNS)
