"""What is wrong with what was given is said in Chinese: messages in the source, and commands."""

import re
import tomllib
from string import Formatter

import pytest

from cea_exchange.cli.language import language_set, said_filled
from cea_exchange.cli.main import run
from cea_exchange.screens.texts.catalogue import FOLDER, message_texts
from cea_exchange.screens.texts.messages import message_in
from support.places import ROOT
from support.spoken_messages import english_left, filled, messages_below, messages_of

PACKAGE = ROOT / "src/cea_exchange"
HAN = re.compile(r"[\u4e00-\u9fff：，；（]")
PARTS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
"""The folders of the package: every message of theirs has its Chinese."""
FOR_PROGRAMMERS = {
    PACKAGE / name
    for name in (
        *("matching/reference", "matching/event_tables.py", "matching/tables.py", "ledger/audit"),
        *("matching/sealing.py", "screens/serving/guard.py", "screens/texts"),
    )
}
"""Errors of wrong calls in Python, and what a browser gets in pages of its own."""


@pytest.fixture(autouse=True)
def english_after():
    yield
    language_set([], {})


def is_chinese(text: str) -> bool:
    """Return whether a text with braces is said in Chinese, with whatever stands in these."""
    english, values = filled(text)
    said = message_in("zh", english)
    is_whole = HAN.search(said) is not None and all(each in said for each in values)
    return is_whole and english_left(said) == []


@pytest.mark.parametrize("part", PARTS)
def test_every_message_about_bad_input_has_its_chinese(part):
    texts = dict.fromkeys(
        text
        for path, text in messages_below(PACKAGE / part)
        if FOR_PROGRAMMERS.isdisjoint((path, *path.parents))
    )
    assert [text for text in texts if not is_chinese(text)] == []


def test_the_messages_of_all_folders_are_looked_at():
    assert len(PARTS) > 20 and all(path.exists() for path in FOR_PROGRAMMERS)
    counts = {part: len(list(messages_below(PACKAGE / part))) for part in ("cli", "files", "sweep")}
    assert counts["cli"] > 100 and counts["files"] > 50 and counts["sweep"] > 30


def test_a_message_without_its_chinese_is_noticed():
    source = '''
def number(text):
    """Return a number; ValueError: expected some, got none."""
    if not text.isdigit():
        raise ValueError(f"number: expected a thing unheard of, got {text!r}")
    wrong = f"{text} is odd" if int(text) % 2 else "it is even more so"
    raise OddError(wrong)
'''
    texts = [text for _, text in messages_of(source)]
    assert texts == [
        "number: expected a thing unheard of, got '{}'", "it is even more so", "{} is odd",
    ]  # fmt: skip
    assert not any(map(is_chinese, texts))
    assert english_left("number：应为 a thing unheard of，实为 'x y'")[:1] == ["a thing"]
    assert english_left("x.csv:1：应为 CEA24 的 `a b`，实为 'c d'") == []


def test_each_text_is_chinese_and_has_the_same_values():
    texts = message_texts("zh")
    assert all(texts.values())
    for english, chinese in ((key, texts[key]) for key in texts if "{}" in key):
        assert "{}{}" not in english, english  # where one ends would be anybody's guess
        places = [name for _, name, _, _ in Formatter().parse(chinese) if name is not None]
        count = english.replace("{{", "").count("{}")
        assert places == [""] * count or sorted(places) == [*map(str, range(count))], english
        assert is_chinese(english.replace("{{", "{").replace("}}", "}")), english


FOREIGN = {"typed", "system", "formats"}
"""What the command line's library, the system and readers say; no module of ours has it."""
COMPOSED = {
    "{}: no such setting; did you mean {}?",
    "{}: no such setting; there are {}",
    "expected a row for each message, got {} messages or more and {} rows",
    "expected a row for each message, got {} messages and {} rows or more",
    "{}: another process writes to this database",
    "day {} is open under profile {} {}, and profile {} {} was given: start with {}, close the day,"
    " then start with this one",
    "day {} is open under schema {}, this program writes {}: start with the program before,"
    " close the day, then start with this one",
}
"""What stands in several places of the source, or there with a value in it that may be empty."""


def test_every_text_is_one_that_the_program_says():
    paths = (path for kind in ("*.py", "*.pyx") for path in PACKAGE.rglob(kind))
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    source = " ".join(line.strip() for line in lines if '"' in line or "'" in line)
    # A long one stands in parts.
    joined = re.sub(r'" f?"', "", source).replace('\\"', '"')
    tables = tomllib.loads(FOLDER.joinpath("messages", "zh.toml").read_text(encoding="utf-8"))
    unsaid = [
        english
        for name in tables.keys() - FOREIGN
        for english in tables[name]
        for piece in english.split("{}")
        if piece.strip(":,; ()") not in joined
    ]
    assert set(unsaid) == COMPOSED and tables.keys() > FOREIGN


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        # What was given stays as it was, whatever is in it.
        ("a.csv:1: expected a whole number, got 'none'", "a.csv:1：应为整数，实为 'none'"),
        ("a.csv: expected a list, got {'a: b': 1}", "a.csv：应为列表，实为 {'a: b': 1}"),
        ("张 三.csv: Permission denied", "张 三.csv：没有权限"),
        # What was expected is looked up again, and so is why.
        (
            "x.toml: clock: expected `object`, got `int`",
            "x.toml：clock：应为对象，实为整数",
        ),
        (
            "x.mkt:3: expected a JSON object, Expecting value at column 1",
            "x.mkt:3：应为 JSON 对象，第 1 列：缺少值",
        ),
        # Of a file each fault has its line.
        (
            "refused FILE_UNSOUND: a.csv:2: tonnes: expected whole tonnes, got 'x'\n"
            "a.csv:3: code: expected the code of a province, 11 (Beijing) to 66, got nothing",
            "拒绝 FILE_UNSOUND：a.csv:2：tonnes：应为整数吨，实为 'x'\n"
            "a.csv:3：code：应为省级代码，11（北京）至 66，实为空",
        ),
        # No part of a sentence that has no Chinese is said in it.
        ("nobody knows or cares", "nobody knows or cares"),
        ("", ""),
    ],
)
def test_what_was_given_stays_and_what_was_expected_is_said(english, chinese):
    assert said_filled(english) == english
    language_set(["--lang", "zh"])
    assert said_filled(english) == chinese


@pytest.mark.parametrize("part", ["; ", ": ", " or ", "a: expected b, got c; ", ", got "])
def test_a_message_of_whatever_length_is_said(part):
    long = f"x.csv: expected a whole number, got 5; {part * 2000}"
    assert message_in("zh", long).startswith("x.csv：应为整数，实为 5")


# -- Commands --------------------------------------------------------------------------------------

GIVEN = {
    "x.csv": "a,b\n1,2\n",
    "bad.toml": "x = \n",
    "settings.toml": "workers = 3\n",
    "clock.toml": "clock = 5\n",
    "profile.toml": "title = 1\n",
    "plan.toml": "year = 2024\n",
    "cmd.mkt": '{"cmd": "nope"}\n',
    "field.mkt": '{"cmd": "open_day", "date": 5}\n',
    "full/a": "",
}
"""What the commands below are given; nothing else is there."""
WRONG_COMMANDS = """
run nofile.mkt
run x.csv
run cmd.mkt
run field.mkt
run full
replay nofile.csv
replay x.csv
replay x.csv --tick 0.01
replay full
convert-flow nope x.csv
convert-flow mbo x.csv
auction x.csv --tonnes 5
replay-auctions x.csv
replay-days x.csv
load --target nope:Nope
load --workload nope
load --arrivals constant:rate=-1
load --fail-if foo
load compare full x.csv
surveil x.csv
surveil full --follow
verify full
bulletin full
disclose full --out y
profile show nope
profile show bad.toml
profile check profile.toml
profile show cea --date 2025-13-01
sweep plan.toml --out s
sweep bad.toml --out s
year 2024 --out full
year 2024 --out y --days 1
year 2024 --out y --firms nope:Nope
demo --profile nope
keys new ../a/b
venue serve --data full --config nofile.toml
venue serve --data full --config settings.toml
registry check --data full --config clock.toml
venue status --data full
platform status --data nofolder
venue backup out --data full
venue restore full --data out
registry allocation preview nofile.csv --data full
explain nonsense_word
"""


@pytest.fixture
def given(tmp_path, monkeypatch):
    for name, text in GIVEN.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_what_is_wrong_with_what_a_command_was_given_is_said_in_chinese(given, capfd):
    commands = WRONG_COMMANDS.strip().splitlines()
    for command in commands:
        status = run([*command.split(), "--lang", "zh"])
        said = capfd.readouterr().err.removeprefix("cea-exchange: ").strip()
        assert status in (1, 2) and HAN.search(said), command
        assert english_left(said) == [], (command, said)
    assert len(commands) > 40


def test_whether_a_daemon_would_start_is_said_in_chinese(given, capsys, tmp_path):
    (tmp_path / "clock.toml").write_text("", encoding="utf-8")
    for daemon in ("registry", "platform"):
        check = f"{daemon} check --data full --config clock.toml --lang zh"
        assert run(check.split()) == 1
        lines = capsys.readouterr().out.splitlines()
        assert all(english_left(line) == [] for line in lines), lines
        assert [line.split()[1] for line in lines][:3] == ["通过", "有误", "有误"]
