"""The command line speaks Chinese where it is asked to, or where the shell does."""

import os
import re
import tomllib
from string import Formatter

import pytest

from cea_exchange.cli import language
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.language import language_set, word
from cea_exchange.cli.main import COMMAND_MODULES, PANELS, run
from cea_exchange.cli.output import refused, rows_table
from cea_exchange.domain.documents.bulletin_forms import bulletin_text
from cea_exchange.domain.documents.statement_forms import statement_text
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.control.admin_client import InstitutionRefused
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.market import Market
from cea_exchange.matching.statements import MarketStatements
from cea_exchange.screens.texts.catalogue import (
    FOLDER,
    command_texts,
    refusal_texts,
    report_texts,
)
from support.command_tree import below, command_tree
from support.places import ROOT

TABLES = {
    name: table
    for folder in ("commands", "options")
    for name, table in tomllib.loads(
        FOLDER.joinpath(folder, "zh.toml").read_text(encoding="utf-8")
    ).items()
}
EXAMPLES = ("Example:", "Also:")
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def english_after():
    yield
    language_set([], {})


@pytest.fixture
def chinese():
    language_set(["--lang", "zh"])


def sentences() -> set[str]:
    commands = (
        command for name in COMMAND_MODULES for _, command in below(command_tree(name), name)
    )
    return {" ".join((command.help or "").split("\n\n")[0].split()) for command in commands}


def further() -> set[str]:
    """What the help of commands goes on with: their paragraphs but for the first, and examples."""
    commands = (
        command for name in COMMAND_MODULES for _, command in below(command_tree(name), name)
    )
    paragraphs = (
        " ".join(paragraph.split())
        for command in commands
        for paragraph in (command.help or "").split("\n\n")[1:]
    )
    return {each for each in paragraphs if not each.startswith(EXAMPLES)}


def test_the_help_of_every_command_has_its_chinese_and_nothing_else_does():
    assert sentences() == TABLES["help"].keys()
    assert further() == TABLES["further"].keys()
    assert len(sentences()) > 500 and PANELS.keys() <= TABLES["frame"].keys()


def of_options() -> set[str]:
    commands = (
        command for name in COMMAND_MODULES for _, command in below(command_tree(name), name)
    )
    params = (each for command in commands for each in command.params)
    return {each.help for each in params if getattr(each, "help", None)}


def test_the_help_of_every_argument_and_option_has_its_chinese_and_nothing_else_does():
    assert of_options() == TABLES["options"].keys()
    assert len(of_options()) > 500


def test_the_help_of_a_command_has_nothing_in_english_but_names(capsys):
    assert run(["venue", "market", "halt", "--help", "--lang", "zh"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "原因；将被留存。" in shown and "用谁的密钥" in shown and "必填]" in shown
    without_example = re.sub(r"(示例|另有)： [^参]*", "", shown)
    assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", without_example.partition("]")[2])


def test_every_text_is_said_once_in_chinese_and_with_the_same_fields():
    texts = [(key, text) for table in TABLES.values() for key, text in table.items()]
    assert len(dict(texts)) == len(texts)
    for key, text in texts:
        assert HAN.search(text) or "://" in text or key == "{n} of {all}", key
        assert fields_of(key) == fields_of(text), key


def test_every_report_text_is_one_that_reports_say_and_has_the_same_fields():
    texts = report_texts("zh")
    folders = ("year", "sweep", "plots", "cli/flows")
    paths = (path for name in folders for path in (ROOT / "src/cea_exchange" / name).rglob("*.py"))
    source = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in paths)
    joined = re.sub(r'" f?"', "", source)
    # Of a period the year is filled in.
    periods = {"traded in {}", "held in {}", "end of {}"}
    for key, text in texts.items():
        assert any(f"{quote}{key}{quote}" in joined for quote in "'\"") or key in periods, key
        assert HAN.search(text) or not re.search("[a-z]", key), key
        assert key.count("{") == text.count("{"), key


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_other_text_is_one_that_the_program_says():
    folders = ("cli", "domain", "matching", "loadtest", "daily_replay")
    paths = [path for name in folders for path in (ROOT / "src/cea_exchange" / name).rglob("*.py")]
    # A profile's title is said, too.
    paths += (ROOT / "src/cea_exchange/domain/profiles").glob("*.toml")
    source = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in paths)
    # A long one stands in parts, or has a name's number; one of an event has underscores there.
    joined = re.sub(r'" f?"', "", source).replace("{{", "{").replace("}}", "}").replace("_", " ")
    started = re.compile(
        r"^(Traded|Since|use CPython|ulimit|the (venue|registry) ends|(listed|block|bidding) [va])"
    )
    tables = ("documents", "explain", "flows", "profile", "answers", "demo", "doctor")
    unsaid = [
        key for table in tables for key in TABLES[table]
        if " ".join(key.replace("_", " ").split()) not in joined and not started.match(key)
    ]  # fmt: skip
    assert unsaid == []


@pytest.mark.parametrize(
    ("arguments", "shell", "spoken", "rest"),
    [
        (["doctor"], {}, "en", ["doctor"]),
        (["doctor"], {"LANG": "zh_CN.UTF-8"}, "zh", ["doctor"]),
        (["doctor"], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en", ["doctor"]),
        (["doctor"], {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh", ["doctor"]),
        (["--lang", "zh", "doctor"], {"LANG": "en_US"}, "zh", ["doctor"]),
        (["doctor", "--json", "--lang=en"], {"LANG": "zh_CN"}, "en", ["doctor", "--json"]),
        (["explain", "--", "--lang"], {}, "en", ["explain", "--", "--lang"]),
    ],
)
def test_the_option_goes_before_the_shell(arguments, shell, spoken, rest):
    assert language_set(arguments, shell) == rest
    assert language.language() == spoken


@pytest.mark.parametrize("arguments", [["--lang", "fr"], ["doctor", "--lang"], ["--lang="]])
def test_a_language_that_is_not_spoken_is_refused(arguments, capsys):
    with pytest.raises(CommandError, match="expected one of en, zh"):
        language_set(arguments, {})
    assert run([*arguments]) == 2
    assert "--lang: expected one of en, zh" in capsys.readouterr().err


def test_help_and_explanations_are_chinese(capsys):
    assert run(["venue", "account", "--help", "--lang", "zh"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("用法：") and "暂停账户：撤销其委托，只能收取。" in shown
    assert "Usage" not in shown and "What an account" not in shown
    assert run(["explain", "CASH_INSUFFICIENT", "--lang", "zh"]) == 0
    shown = capsys.readouterr().out
    words = refusal_texts("zh")["Reason.CASH_INSUFFICIENT"]
    assert words.meaning in shown and words.remedy in shown and "来源" in shown
    assert refusal_texts("en")["Reason.CASH_INSUFFICIENT"].meaning not in shown
    assert run(["explain", "CASH_INSUFFICIENT"]) == 0
    assert refusal_texts("en")["Reason.CASH_INSUFFICIENT"].meaning in capsys.readouterr().out


def test_a_refusal_says_what_its_code_means_in_chinese(capsys):
    name = next(key for key in refusal_texts("zh") if key.startswith("RegistryRefusal."))
    code = RegistryRefusal[name.partition(".")[2]]
    answer = {"ok": False, "code": code.name, "error": "cash: expected 5, got 3"}
    error = InstitutionRefused(answer, RegistryRefusal)
    assert str(refused(error, json=False)) == str(error)
    language_set(["--lang", "zh"])
    said = str(refused(error, json=True))
    meaning = refusal_texts("zh")[name].meaning
    assert said.startswith(f"{code.name}：{meaning}")
    assert said.endswith(f"（拒绝 {code.name}：cash：应为 5，实为 3）")
    assert capsys.readouterr().out.count(code.name) == 1  # JSON is in no language


def test_heads_of_tables_are_chinese_and_stand_above_their_columns(chinese):
    rows = [{"product": "CEA24", "tonnes": 5, "unheard_of": "x"}]
    head, line = rows_table(rows).splitlines()
    assert head.split() == ["产品", "吨数", "unheard", "of"] and word("product") == "产品"
    assert head == "产品   吨数  unheard of" and line == "CEA24  5 吨  x"


def test_what_an_act_answers_is_chinese(chinese):
    from cea_exchange.cli.acts.venue import done

    answer = {
        "op": "halt", "trading_date": 20250716, "day_is_open": True, "phase": "listed",
        "halted": True, "halted_products": ["CEA24"], "changes_pending": 2,
    }  # fmt: skip
    line = "halt 已执行; 2025-07-16 开市，时段 listed, 暂停: 整个市场, CEA24, 2 项时钟变更等待执行"
    assert done(answer) == line
    language_set([], {})
    line = "halt done; 2025-07-16 open, phase listed, halted: the market, CEA24"
    assert done(answer) == f"{line}, 2 changes of the clock wait"
    assert rows_table([], none="nothing waits") == "nothing waits"


def day() -> tuple[str, str]:
    """Return a day's bulletin and a statement, as the shell's reader has them."""
    market = Market("cea", reference_prices={"CEA24": "97.49"})
    bulletins, statements = MarketBulletins(market), MarketStatements(market)
    events = market.deposit("alice", cash="100000.00")
    events += market.deposit("bob", product="CEA24", tonnes=500)
    events += market.open_day("2025-07-16") + market.phase("listed")
    for account, side, tonnes in (("bob", "sell", 100), ("alice", "buy", 40)):
        events += market.enter(
            account, "CEA24", side, price="97.60", tonnes=tonnes, order_id="1"
        )
    events += market.close_day()
    (bulletin,) = bulletins.take(events)
    statement = next(each for each in statements.take(events) if each.account == "bob")
    said = command_texts("zh").__getitem__
    return bulletin_text(bulletin, said=said), statement_text(statement, said)


def test_a_bulletin_and_a_statement_are_chinese_throughout():
    for text in day():
        plain = re.sub(r"CEA24|COMCEA|cea|bob|alice|listed 挂牌|block 大宗|bidding 单向", "", text)
        assert HAN.search(text) and re.findall(r"[a-z]{2,}", plain) == [], text
    bulletin, statement = day()
    assert "今日成交：成交量 40 吨，成交额 3,904.00 元。" in bulletin
    assert statement.startswith("结算单  2025-07-16  账户 bob\n")


def test_the_tests_of_this_project_speak_english():
    assert os.environ["LC_ALL"] == "C.UTF-8"


def test_the_profiles_are_listed_in_chinese(capsys):
    assert run(["profile", "list", "--lang", "zh"]) == 0
    listed = capsys.readouterr().out
    assert "全国市场" in listed and "截至 2024-11-13" in listed and "pilot" not in listed
    assert run(["profile", "show", "cea", "--lang", "zh"]) == 0
    assert "日历 cn_carbon" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["run"], "缺少参数 'script'。"),
        (["run", "day.jsonl", "--nothing"], "没有选项 --nothing"),
        (["ru"], "没有命令 'ru'。是否指 'run'？"),
        (["load", "run", "--rate", "x"], "'--rate' 的值有误：'x' 不是有效的 float range。"),
        (["year", "2020", "--out", "y"], "'year' 的值有误：2020 不在范围 2021<=x<=2026 之内。"),
        (
            ["year", "2024", "--out", "y", "--mode", "z"],
            "'--mode' 的值有误：'z' 不是下列之一：'embedded', 'daemons'。",
        ),
        (
            ["year", "2024", "--out", "y", "--behaviour", "z"],
            "--behaviour：应为 NAME=WHOLE NUMBER，实为 'z'",
        ),
        (["doctor", "one"], "多余的参数 (one)"),
        (["replay", "x.csv", "--tick"], "选项 '--tick' 须有值。"),
        (["surveil", "/none.jsonl"], "/none.jsonl：应为市场脚本，没有此文件或目录"),
    ],
)
def test_what_is_wrong_with_what_was_typed_is_said_in_chinese(capsys, typed, words):
    assert run([*typed, "--lang", "zh"]) == 2
    assert capsys.readouterr().err == f"cea-exchange: {words}\n"


def test_a_list_of_commands_is_shown_on_lines_of_its_own_in_chinese_too(capsys):
    assert run(["--lang", "zh"]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "用法： cea-exchange [选项] 命令 [参数]..." and len(shown) > 40
    for option in ("--version     显示版本。", "--lang <str>  en 或 zh"):
        assert any(line.strip().startswith(option) for line in shown)


def test_what_a_machine_has_is_said_in_chinese_to_people_and_in_english_to_programs(capsys):
    run(["doctor", "--lang", "zh"])
    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    for name in ("软件包", "磁盘", "空间", "端口", "时钟", "限制"):
        assert HAN.search(shown[name].partition(name)[2]), shown[name]
    run(["doctor", "--json", "--lang", "zh"])
    assert not HAN.search(capsys.readouterr().out)
