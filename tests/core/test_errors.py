"""One tree of errors: each can travel as its code and come back."""

import copy
import pickle

import pytest

from registry_core import errors
from registry_core.errors import BY_CODE, EntryNotFound, Invalid, NotFound, RegistryError

KINDS = sorted(BY_CODE.values(), key=lambda kind: kind.code)


def all_kinds(kind=RegistryError):
    return [kind, *(found for child in kind.__subclasses__() for found in all_kinds(child))]


def test_every_error_has_a_code_of_its_own():
    kinds = [kind for kind in all_kinds() if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert {kind.code: kind for kind in kinds} == BY_CODE


def test_every_error_is_in_the_drawing():
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_error_comes_back_from_what_travels(kind):
    sent = kind("It broke.", hint="Mend it.", faults=["a", "b"])
    back = BY_CODE[sent.code](sent.message, hint=sent.hint, faults=sent.faults)
    for error in (back, pickle.loads(pickle.dumps(sent)), copy.copy(sent)):
        assert type(error) is kind
        assert (error.message, error.hint, error.faults) == ("It broke.", "Mend it.", ("a", "b"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_exit_code_is_one_of_five(kind):
    assert kind.exit_code in {1, 2, 3, 4, 5}


def test_text_holds_message_faults_and_hint():
    assert str(Invalid("It broke.")) == "It broke."
    assert str(Invalid("It broke.", hint="Mend it.", faults=["a", "b"])) == "It broke.\n  - a\n  - b\nMend it."


def test_entry_not_found_says_which_commit_was_looked_at():
    error = EntryNotFound("No such file.", commit_id="0" * 40)
    assert isinstance(error, NotFound)
    assert error.commit_id == "0" * 40
    assert pickle.loads(pickle.dumps(error)).commit_id == "0" * 40
