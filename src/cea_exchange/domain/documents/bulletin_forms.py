"""Writes a bulletin for a person, and as JSON, CSV and Parquet in the exchange's own layout.

The names are those of the exchange's own feed (`quotPoin`, `openPric`, `dealQty`, ...; CEA-INF-01):
`dealQty` and `dealAmt` are listed trades alone, and high and low are 0.00 without one. Prices and
amounts are text in yuan, or decimals in Parquet; nothing is ever a binary fraction.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.calendar import date_number, date_of_number, date_parse
from cea_exchange.domain.documents.bulletin import (
    VOLUME_MOST,
    Bulletin,
    ByMethod,
    Quote,
    Traded,
    composite_code,
)
from cea_exchange.domain.enums import Method
from cea_exchange.domain.naming import csv_name
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.user_files.formats import json_parse

METHOD_CODES = {Method.LISTED: 10, Method.BLOCK: 20, Method.BIDDING: 21}
METHOD_TERMS = {
    Method.LISTED: "挂牌协议",
    Method.BLOCK: "大宗协议",
    Method.BIDDING: "单向竞价",
}
COMPOSITE_TERM = "综合价格行情"
_ALLOWANCE_TERM = "碳排放配额"
_ALLOWANCE_FORM = re.compile(r"CEA([0-9]{2}(?:-[0-9]{2})?)")

_Yuan = Annotated[str, Meta(pattern=r"^-?[0-9]+\.[0-9]{2}$", max_length=64)]
_Tonnes = Annotated[int, Meta(ge=0)]

_SUM_LIMIT_FEN = 1 << 120
"""No sum that is carried on is larger: room is left for what is added, in every form."""


class MethodRow(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What was traded by one method: on the day, since 1 January, since the market began."""

    method_code: int
    method_name: str = ""
    trade_volume: _Tonnes = 0
    trade_amount: _Yuan = "0.00"
    year_volume: _Tonnes = 0
    year_amount: _Yuan = "0.00"
    total_volume: _Tonnes = 0
    total_amount: _Yuan = "0.00"


class QuoteRow(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A subject's day; `trade_volume` and what follows it is by all methods together.

    What is left out is read as none: an opening figure written by hand needs the closes and sums.
    """

    subj_code: str
    subj_name: str = ""
    open_pric: _Yuan | None = None
    high_pric: _Yuan = "0.00"
    low_pric: _Yuan = "0.00"
    clos_pric: _Yuan
    last_clos_pric: _Yuan | None = None
    chan_pric: _Yuan = "0.00"
    chan_rate: _Yuan = "0.00"
    deal_qty: _Tonnes = 0
    deal_amt: _Yuan = "0.00"
    methods: tuple[MethodRow, ...] = ()
    trade_volume: _Tonnes = 0
    trade_amount: _Yuan = "0.00"
    year_volume: _Tonnes = 0
    year_amount: _Yuan = "0.00"
    total_volume: _Tonnes = 0
    total_amount: _Yuan = "0.00"
    intra_group_volume: _Tonnes = 0


class BulletinDocument(
    Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A bulletin's JSON."""

    quot_poin: str
    market: str
    composite: QuoteRow
    products: tuple[QuoteRow, ...] = ()


def subject_name(code: str, market: str = "cea") -> str:
    """Return the exchange's own name of a subject: `CEA25` is 碳排放配额25."""
    if code == composite_code(market):
        return COMPOSITE_TERM
    match = _ALLOWANCE_FORM.fullmatch(code)
    return f"{_ALLOWANCE_TERM}{match[1]}" if match else code


# -- JSON -----------------------------------------------------------------------------------------


def bulletin_document(bulletin: Bulletin) -> BulletinDocument:
    """Return a bulletin in the names and texts of its JSON."""
    return BulletinDocument(
        quot_poin=_date_text(bulletin),
        market=bulletin.market,
        composite=_quote_row(bulletin.composite, bulletin.market),
        products=tuple(_quote_row(quote, bulletin.market) for quote in bulletin.products),
    )


def bulletin_json(bulletin: Bulletin) -> bytes:
    """Return a bulletin as one JSON object, with a line's end; `bulletin_parse` reads it."""
    document = msgspec.json.encode(bulletin_document(bulletin))
    return msgspec.json.format(document, indent=1) + b"\n"


def bulletin_parse(data: bytes, place: str) -> Bulletin:
    """Read a bulletin's JSON, or opening figures written like it.

    Parameters
    ----------
    data : bytes
        `quotPoin`, `market` and the composite with its `closPric` are needed. Sums that are left
        out are nothing.
    place : str
        What errors call it.

    Raises
    ------
    ValueError
        If it is no bulletin; the message says where.
    """
    try:
        document = json_parse(data, BulletinDocument)
        day = date_parse(document.quot_poin)
        codes = [row.subj_code for row in document.products]
        if len({*codes}) < len(codes):
            raise ValueError(f"expected each product once, got {', '.join(codes)}")
        return Bulletin(
            market=document.market,
            trading_date=date_number(day),
            composite=_quote(document.composite),
            products=tuple(map(_quote, document.products)),
        )
    except ValueError as error:
        raise ValueError(f"{place}: expected a bulletin, {error}") from None


def _quote_row(quote: Quote, market: str) -> QuoteRow:
    return QuoteRow(
        subj_code=quote.code,
        subj_name=subject_name(quote.code, market),
        open_pric=price_format(quote.open),
        high_pric=price_format(quote.high or 0),
        low_pric=price_format(quote.low or 0),
        clos_pric=price_format(quote.close),
        last_clos_pric=price_format(quote.last_close),
        chan_pric=price_format(quote.change),
        chan_rate=price_format(quote.change_rate),
        deal_qty=quote.day.listed.volume,
        deal_amt=cash_format(quote.day.listed.amount),
        methods=tuple(_method_row(quote, method) for method in Method),
        **_sums(quote.day.total, quote.year.total, quote.total.total),
        intra_group_volume=quote.volume_intra_group,
    )


def _method_row(quote: Quote, method: Method) -> MethodRow:
    return MethodRow(
        method_code=METHOD_CODES[method],
        method_name=METHOD_TERMS[method],
        **_sums(*(part.of(method) for part in (quote.day, quote.year, quote.total))),
    )


def _sums(day: Traded, year: Traded, total: Traded) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for name, traded in (("trade", day), ("year", year), ("total", total)):
        sums[f"{name}_volume"] = traded.volume
        sums[f"{name}_amount"] = cash_format(traded.amount)
    return sums


def _quote(row: QuoteRow) -> Quote:
    methods = {each.method_code: each for each in row.methods}
    unknown = set(methods) - set(METHOD_CODES.values())
    if unknown or len(methods) != len(row.methods):
        got = ", ".join(str(each.method_code) for each in row.methods)
        raise ValueError(f"{row.subj_code}: methodCode: expected 10, 20 and 21 once, got {got}")

    def traded(name: str) -> ByMethod:
        found = []
        for method in Method:
            sums = methods.get(METHOD_CODES[method], MethodRow(method_code=0))
            volume, amount = getattr(sums, f"{name}_volume"), _fen(getattr(sums, f"{name}_amount"))
            if not (0 <= amount < _SUM_LIMIT_FEN and volume <= VOLUME_MOST):
                raise ValueError(
                    f"{row.subj_code}: expected what a market can trade,"
                    f" got {volume} t, {amount} fen"
                )
            found.append(Traded(volume, amount))
        return ByMethod(*found)

    close = _fen(row.clos_pric)
    last_close = close if row.last_clos_pric is None else _fen(row.last_clos_pric)
    if close <= 0 or last_close <= 0:
        prices = f"{row.clos_pric} and {row.last_clos_pric}"
        raise ValueError(f"{row.subj_code}: closPric, lastClosPric: expected above 0, got {prices}")
    return Quote(
        code=row.subj_code,
        open=close if row.open_pric is None else _fen(row.open_pric),
        high=_fen(row.high_pric) or None,
        low=_fen(row.low_pric) or None,
        close=close,
        last_close=last_close,
        day=traded("trade"),
        year=traded("year"),
        total=traded("total"),
        volume_intra_group=row.intra_group_volume,
    )


def _fen(text: str) -> int:
    """Read what `cash_format` wrote, zero too."""
    return int(text.replace(".", ""))


# -- CSV and Parquet ------------------------------------------------------------------------------


def bulletins_csv(bulletins: Sequence[Bulletin]) -> str:
    """Return bulletins as CSV, a row for each subject and day, the composite first."""
    rows = [row for bulletin in bulletins for row in _flat_rows(bulletin)]
    output = io.StringIO()
    writer = csv.DictWriter(output, list(_flat_types()), lineterminator="\n")
    writer.writeheader()
    texts = [name for name, kind in _flat_types().items() if kind == "text"]
    for row in rows:
        writer.writerow(row | {name: csv_name(row[name]) for name in texts})
    return output.getvalue()


def bulletins_parquet(bulletins: Sequence[Bulletin]) -> bytes:
    """Return the same rows as a Parquet file: dates, 64-bit tonnes, exact decimals.

    Raises
    ------
    ModuleNotFoundError
        Without pyarrow; the message says which extra brings it.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Parquet needs pyarrow: pip install 'cea-exchange[arrow]'", name="pyarrow"
        ) from None
    arrow_types = {
        "date": pyarrow.date32(),
        "text": pyarrow.string(),
        "price": pyarrow.decimal128(18, 2),
        "amount": pyarrow.decimal128(38, 2),
        "tonnes": pyarrow.int64(),
    }
    readers: dict[str, Callable[[Any], Any]] = {
        "date": date.fromisoformat,
        "price": Decimal,
        "amount": Decimal,
    }
    rows = [row for bulletin in bulletins for row in _flat_rows(bulletin)]
    columns, fields = [], []
    for name, kind in _flat_types().items():
        read = readers.get(kind, lambda value: value)
        columns.append(pyarrow.array([read(row[name]) for row in rows], arrow_types[kind]))
        fields.append(pyarrow.field(name, arrow_types[kind], nullable=False))
    output = io.BytesIO()
    parquet.write_table(pyarrow.table(columns, schema=pyarrow.schema(fields)), output)
    return output.getvalue()


_SUM_KINDS = {
    f"{name}{what}": kind
    for name in ("trade", "year", "total")
    for what, kind in (("Volume", "tonnes"), ("Amount", "amount"))
}


def _flat_types() -> dict[str, str]:
    """Return the columns of a flat row with the kind of each."""
    prices = ("openPric", "highPric", "lowPric", "closPric", "lastClosPric", "chanPric", "chanRate")
    types = {"quotPoin": "date", "subjCode": "text", "subjName": "text"}
    types |= dict.fromkeys(prices, "price")
    types |= {"dealQty": "tonnes", "dealAmt": "amount"}
    for method in Method:
        types |= {_method_column(method, name): kind for name, kind in _SUM_KINDS.items()}
    return types | _SUM_KINDS | {"intraGroupVolume": "tonnes"}


def _method_column(method: Method, name: str) -> str:
    return f"{method.name.lower()}{name[0].upper()}{name[1:]}"


def _flat_rows(bulletin: Bulletin) -> list[dict[str, Any]]:
    flat = []
    for quote in (bulletin.composite, *bulletin.products):
        row = msgspec.to_builtins(_quote_row(quote, bulletin.market))
        for method, sums in zip(Method, row.pop("methods"), strict=True):
            row |= {_method_column(method, name): sums[name] for name in _SUM_KINDS}
        flat.append({"quotPoin": _date_text(bulletin), **row})
    return flat


# -- Text -----------------------------------------------------------------------------------------


def table_plain(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows in columns, the same bytes wherever they are written."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = []
    for cells in (heads, *rows):
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        lines.append("  " + "  ".join(padded).rstrip())
    return lines


def bulletin_text(
    bulletin: Bulletin,
    table: Callable[[Sequence[str], list[list[str]]], list[str]] = table_plain,
    said: Callable[[str], str] = str,
) -> str:
    """Return a bulletin for a person to read, in English with the exchange's own terms.

    Its file is of the same bytes everywhere; a terminal has tables and a language of its own.

    Parameters
    ----------
    said
        Returns a text in the reader's language.
    """
    composite = bulletin.composite
    head, quote, terms = said(_HEAD), said(_COMPOSITE), said(_METHODS)
    lines = [
        head.format(date=_date_text(bulletin), market=bulletin.market),
        "",
        quote.format(
            term=COMPOSITE_TERM,
            code=composite.code,
            open=price_format(composite.open),
            high=_price_or_dash(composite.high),
            low=_price_or_dash(composite.low),
            close=price_format(composite.close),
            change=_signed(composite.change),
            rate=_signed(composite.change_rate),
        ),
        *(
            said(sentence).format(
                volume=f"{traded.total.volume:,}", amount=_yuan(traded.total.amount)
            )
            for sentence, traded in zip(
                _TRADED, (composite.day, composite.year, composite.total), strict=True
            )
        ),
    ]
    if composite.volume_intra_group:
        lines.append(said(_INTRA_GROUP).format(volume=f"{composite.volume_intra_group:,}"))
    heads = list(map(said, _PRICE_HEADS))
    lines += ["", said("Prices by product (yuan/t)"), *table(heads, _price_rows(bulletin))]
    for title, part in (("Today", "day"), ("Since 1 January", "year"), ("Cumulative", "total")):
        lines += ["", said("{title} (t, yuan; {terms})").format(title=said(title), terms=terms)]
        lines += table(list(map(said, _SUM_HEADS)), _sum_rows(bulletin, part))
    return "\n".join(lines) + "\n"


_HEAD = "Daily bulletin 每日行情  {date}  market {market}"
_COMPOSITE = (
    "Composite quote {term} {code} (yuan/t): open 开盘价 {open}, high 最高价 {high},"
    " low 最低价 {low}, close 收盘价 {close}, change 涨跌 {change}, {rate}%."
)
_TRADED = tuple(
    f"{start}: {{volume}} t 成交量, {{amount}} yuan 成交额."
    for start in ("Traded today 今日成交", "Since 1 January 本年累计", "Since the market began 累计")
)
_METHODS = "listed 挂牌协议, block 大宗协议, bidding 单向竞价"
_INTRA_GROUP = "Of the block volume {volume} t between accounts of one group."
_PRICE_HEADS = ("product", "open", "high", "low", "close", "last close", "change", "change %")
_SUM_HEADS = ("product", "listed t", "listed yuan", "block t", "block yuan",
              "bidding t", "bidding yuan", "total t", "total yuan")  # fmt: skip


def _price_rows(bulletin: Bulletin) -> list[list[str]]:
    return [
        [
            quote.code,
            price_format(quote.open),
            _price_or_dash(quote.high),
            _price_or_dash(quote.low),
            price_format(quote.close),
            price_format(quote.last_close),
            _signed(quote.change),
            _signed(quote.change_rate),
        ]
        for quote in (*bulletin.products, bulletin.composite)
    ]


def _sum_rows(bulletin: Bulletin, part: str) -> list[list[str]]:
    rows = []
    for quote in (*bulletin.products, bulletin.composite):
        sums: ByMethod = getattr(quote, part)
        cells = [*map(sums.of, Method), sums.total]
        rows.append([quote.code])
        for traded in cells:
            rows[-1] += [f"{traded.volume:,}", _yuan(traded.amount)]
    return rows


def _price_or_dash(price: int | None) -> str:
    return "-" if price is None else price_format(price)


def _signed(number: int) -> str:
    return f"+{price_format(number)}" if number > 0 else price_format(number)


def _yuan(fen: int) -> str:
    yuan, cents = divmod(fen, 100)
    return f"{yuan:,}.{cents:02d}"


def _date_text(bulletin: Bulletin) -> str:
    return date_of_number(bulletin.trading_date).isoformat()
