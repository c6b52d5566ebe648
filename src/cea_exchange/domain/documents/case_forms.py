"""A case file as who supervises reads it: text, HTML, JSON."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.timetable import time_from_ns

Case = Mapping[str, Any]
"""As `case_files.shown` has it."""

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid #ddd}"
    "code{font-size:.8em;word-break:break-all}"
)


def case_json(case: Case) -> bytes:
    """Return a case as JSON, by which it can be held against the journal."""
    return msgspec.json.format(msgspec.json.encode(case), indent=2) + b"\n"


def case_text(case: Case) -> str:
    """Return a case as text."""
    lines = [f"Case {case['case']}: {case['title']}", f"about {', '.join(case['accounts']) or '-'}"]
    for entry in case["entries"]:
        lines += ["", f"{entry['entry']}. {_when(entry['at_ns'])}  {_who(entry)}"]
        lines += [f"   {line}" for line in _said(entry["body"])]
        if entry["why"]:
            lines.append(f"   because: {entry['why']}")
        lines.append(f"   {entry['hash']}")
    lines += ["", "Measures"]
    lines += [f"   {_measure(each)}" for each in case["measures"]] or ["   none"]
    lines += ["", f"Outcome: {case['outcome'] or 'open'}"]
    return "\n".join(lines) + "\n"


def case_html(case: Case) -> str:
    """Return a case as one page that needs nothing from outside."""
    rows = []
    for entry in case["entries"]:
        said = "<br>".join(map(escape, _said(entry["body"])))
        why = f"<br>because: {escape(entry['why'])}" if entry["why"] else ""
        rows.append(
            f"<tr><td>{entry['entry']}</td><td>{escape(_when(entry['at_ns']))}</td>"
            f"<td>{escape(_who(entry))}</td>"
            f"<td>{said}{why}<br><code>{entry['hash']}</code></td></tr>"
        )
    measures = "".join(f"<li>{escape(_measure(each))}</li>" for each in case["measures"])
    title = escape(f"Case {case['case']}: {case['title']}")
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>About {escape(', '.join(case['accounts']) or '-')}. Outcome: "
        f"{escape(case['outcome'] or 'open')}.</p>"
        f"<table><tr><th>entry<th>when<th>who<th>what</tr>{''.join(rows)}</table>"
        f"<h2>Measures</h2><ul>{measures or '<li>none</li>'}</ul></body></html>\n"
    )


def _when(at_ns: int) -> str:
    return time_from_ns(at_ns).isoformat(timespec="seconds")


def _who(entry: Mapping[str, Any]) -> str:
    return f"{entry['by']} and {entry['second']}" if entry["second"] else str(entry["by"])


def _said(body: Mapping[str, Any]) -> Iterator[str]:
    match body["kind"]:
        case "opened":
            yield f"opened: {body['title']}"
        case "alert_taken":
            yield f"alert {body['pattern']}, {body['grade']} ({body['rule']}): {body['sentence']}"
            yield f"events {body['first_seq']} to {body['last_seq']}, {_day(body['trading_date'])}"
            for figure in body["figures"]:
                measured = f"{figure['relation']} {figure['threshold']}"
                yield f"{figure['name']} {figure['value']}, threshold {measured}"
            gain = body["gain_fen"]
            yield f"gained {_yuan(gain['realised'])} realised, {_yuan(gain['marked'])} marked"
            if body["reproducer"]:
                yield f"shown again by {body['reproducer']}"
        case "note":
            yield body["text"]
        case "document":
            where = f"kept, {body['size_bytes']} bytes" if body["is_kept"] else "by its hash alone"
            yield f"document: {body['title']} ({where}), SHA-256 {body['sha256']}"
        case "penalty_computed":
            gain = body["gain_fen"]
            yield f"{body['abuse']} by {body['rule']}: gained {_yuan(sum(gain.values()))}"
            yield f"confiscated {_yuan(body['confiscated'])}"
            yield f"fine of {_yuan(body['least'])} to {_yuan(body['most'])}"
            if body["persons_most"]:
                persons = f"{_yuan(body['persons_least'])} to {_yuan(body['persons_most'])}"
                yield f"each person answerable: {persons}"
        case "closed":
            yield f"closed: {body['outcome']}"


def _measure(measure: Mapping[str, Any]) -> str:
    what = f"{measure['measure']}. step {measure['step']}, {measure['name']}: {measure['account']}"
    barred = f" kept from {', '.join(measure['barred'])}" if measure["barred"] else ""
    until = f" until {_day(measure['ends'])}" if measure["ends"] else ""
    state = "in force" if measure["is_in_force"] else "over"
    return f"{what}{barred}{until}, {state}: {measure['why']}"


def _day(number: int) -> str:
    return str(date_of_number(number))


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02} yuan"
