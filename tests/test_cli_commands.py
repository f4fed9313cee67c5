from __future__ import annotations

import pytest
from absl import flags

from metrabs.command import reject_positional_args, required, run_command
from metrabs.errors import UserError


def define(values):
    flags.DEFINE_string("some_name", None, "what it is", flag_values=values)
    flags.DEFINE_integer("count", 1, "how many", flag_values=values)


def run(action, *arguments):
    return run_command("Usage text.", define, action, arguments)


def test_flags_and_words_reach_the_action():
    seen = {}

    def action(values, words):
        seen.update(name=values.some_name, count=values.count, words=list(words))

    assert run(action, "first", "--some-name=a-b", "--count=2", "second") == 0
    assert seen == {"name": "a-b", "count": 2, "words": ["first", "second"]}


def test_help_shows_usage_and_flags(capsys):
    assert run(lambda values, words: pytest.fail("must not run"), "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage text.") and "--some_name" in text


@pytest.mark.parametrize(
    ("error", "arguments", "code"),
    [
        (UserError("This went wrong."), [], 1),
        (None, ["--count=many"], 2),
        (None, ["--unknown"], 2),
        (KeyboardInterrupt(), [], 130),
    ],
)
def test_mistakes_end_in_one_line_and_a_code(error, arguments, code, capsys):
    def action(values, words):
        raise error

    assert run(action, *arguments) == code
    text = capsys.readouterr().err.strip()
    assert text.startswith("error: ") and len(text.splitlines()) == 1


def test_an_action_may_choose_its_exit_code():
    assert run(lambda values, words: 3) == 3


def test_bugs_are_not_hidden():
    def action(values, words):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(action)


def test_needed_flags_and_needless_words_are_named(capsys):
    def action(values, words):
        reject_positional_args(words)
        required(values, "some_name")

    assert run(action) == 1
    assert "Give --some_name" in capsys.readouterr().err
    assert run(action, "--some_name=x") == 0
    assert run(action, "--some_name=x", "word") == 1
    assert "'word' is not a flag" in capsys.readouterr().err
