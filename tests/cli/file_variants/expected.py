"""Pairs of a command and a variant that are no refusals: legitimate ones, and known faults."""

from cli.file_variants.forms import FORMS

Pair = tuple[str, str]

VALID_TEXT = "The file is valid, whatever its path or its ending."
CRLF = "Lines may end in CRLF."
CR = "Tables may have lines that end in CR, and JSON and XML take it for white space."
LEFT_OUT = "The command does not need this member."
PASSED_OVER = "Columns of other names are passed over."
ALL_DEFAULTS = "Each setting has a default, so a file without settings is valid."
BLANK_LINES = "Blank lines after the last member are valid, and the file is within its bound."
ANY_NUMBER = "Files of this kind have any number of lines."
PACKED = "Recorded flow may be packed with gzip."
ODD_NAME = "The characters become part of the first column's name, and that column is optional."

DATA_FOLDER = "A folder may be a venue's data folder, so the error asks for `--product`."

CR_FORMS = (
    *("run", "auction", "adjustment auction", "adjustment report", "convert-flow"),
    *("replay-days", "replay-auctions", "surveil --facts", "bank file check"),
)
BLANK_LINES_FORMS = (
    *("profile check", "calendar check", "load --settings", "load --workload"),
    *("surveil --limits", "surveil --facts", "sweep", "year --plan"),
    *("venue check", "registry check", "bank file check"),
)
TOML_NAMED_FORMS = ("calendar check", "load --workload")
"""An argument without the ending .toml is a packaged name for them."""
SETTINGS_FORMS = ("load --settings", "venue check", "registry check")

LEGITIMATE: dict[Pair, str] = {
    **{(form, "path with .."): VALID_TEXT for form in FORMS},
    **{
        (form, "valid text named .xlsx"): VALID_TEXT
        for form in FORMS
        if form not in TOML_NAMED_FORMS
    },
    **{(form, "CRLF"): CRLF for form in FORMS},
    **{(form, "CR"): CR for form in CR_FORMS},
    **{(form, "1e6 lines"): BLANK_LINES for form in BLANK_LINES_FORMS},
    **{(form, "1e6 lines"): ANY_NUMBER for form in ("run", "replay", "convert-flow")},
    **{(form, "gzip"): PACKED for form in ("replay", "convert-flow")},
    **{
        (form, "member unknown"): PASSED_OVER
        for form in ("replay", "convert-flow", "replay-days", "replay-auctions")
    },
    **{
        (form, "member missing"): LEFT_OUT
        for form in (
            *("convert-flow", "replay-auctions", "load --settings", "load --workload"),
            *("surveil --facts", "venue check", "registry check"),
        )
    },
    **{(form, "control characters"): ODD_NAME for form in ("convert-flow", "replay-auctions")},
    ("run", "empty"): "A script without commands is valid.",
    **{(form, "empty"): ALL_DEFAULTS for form in SETTINGS_FORMS},
    **{(form, "byte order mark only"): ALL_DEFAULTS for form in SETTINGS_FORMS},
    ("sweep", "truncated"): "The file ends between two tables, and the rest is optional.",
    ("surveil --facts", "member twice"): "The JSON reader takes the last of two equal keys.",
}
"""Pairs whose exit status is 0 or 1, with the reason."""

KNOWN_FAULTS: dict[Pair, tuple[list[str], str]] = {
    ("adjustment report", "folder"): (["file not named"], DATA_FOLDER),
}
"""Pairs that break the rule: their faults as `faults_of` names them, and the reason."""
