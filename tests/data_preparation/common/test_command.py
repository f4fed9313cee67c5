from __future__ import annotations

import pytest
from absl import flags

from data_preparation import __main__ as command_line
from data_preparation import registry
from data_preparation.common.command import define_flags, list_datasets, run_converter
from metrabs.errors import UserError
from tests.data_preparation.common.toy import Toy, make_toy, num_conversions


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    monkeypatch.delenv("CACHE_DIR", raising=False)
    monkeypatch.setitem(registry._CONVERTERS, "toy", "tests.data_preparation.common.toy:Toy")
    make_toy(tmp_path)
    return tmp_path


def parsed(converter, *arguments):
    values = flags.FlagValues()
    define_flags(values, converter)
    values(["program", *arguments])
    return values


def test_settings_of_a_converter_are_flags(root):
    values = parsed(Toy, f"--data_root={root}", "--numbers=3,1", "--room=2.5", "--workers=0")
    report = run_converter(Toy, values)
    assert num_conversions(root) == {1: 1, 3: 1}
    assert report.caches["toy"] == root / "cache" / "toy.pkl"


def test_numbers_must_be_numbers(root):
    with pytest.raises(UserError, match="--numbers takes ints separated by commas, got 'a,1'"):
        run_converter(Toy, parsed(Toy, f"--data_root={root}", "--numbers=a,1"))


def test_list_shows_the_state_of_download_and_output(root):
    values = parsed(None, f"--data_root={root}")
    toy = {"toy": lambda: Toy}
    assert "complete" in list_datasets(toy, values) and "-" in list_datasets(toy, values)
    run_converter(Toy, parsed(Toy, f"--data_root={root}", "--workers=0"))
    assert "toy.pkl (6 examples)" in list_datasets(toy, values)
    for path in (root / "toy" / "images").iterdir():
        path.unlink()
    assert "not found" in list_datasets(toy, values)


def test_command_prints_the_report(root, capsys):
    assert command_line.main(["toy", f"--data_root={root}", "--workers=0"]) == 0
    assert "Toy dataset: 3 train, 3 valid examples from 3 sequences" in capsys.readouterr().out


def test_command_lists_every_dataset(root, capsys):
    assert command_line.main(["--list", f"--data_root={root}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(registry._CONVERTERS)


def test_help_shows_the_settings_of_a_dataset(root, capsys):
    assert command_line.main(["toy", "--help"]) == 0
    output = capsys.readouterr().out
    assert "--numbers" in output and "--data_root" in output


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["toyz"], "Unknown dataset 'toyz'. Known: coco", 1),
        ([], "Give the name of a dataset, or --list", 1),
        (["toy"], "metrabs_data/toy/images/*.jpg'", 1),
        (["toy", "--rom=2"], "Unknown command line flag 'rom'", 2),
        (["toy", "extra"], "'extra' is not a flag", 1),
    ],
)
def test_mistakes_end_in_one_line(root, tmp_path, monkeypatch, capsys, arguments, message, code):
    monkeypatch.chdir(tmp_path)  # holds the default data root, where nothing is
    assert command_line.main(arguments) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_default_data_root_is_in_the_working_folder(tmp_path, root, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["toy"]) == 1
    assert f"'{tmp_path}/metrabs_data/toy/images/*.jpg'" in capsys.readouterr().err


def test_every_registered_converter_is_complete():
    for name, load in registry.converters().items():
        converter = load()()
        assert converter.NAME == name
        assert converter.downloads() and converter.joint_info().num_joints
        for joint_info in converter.caches().values():
            assert joint_info.num_joints <= converter.joint_info().num_joints
