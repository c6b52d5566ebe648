"""What the exchange publishes of a day, a week, a month and a year, made of a venue's journal.

    journal, event store -> record: days, acts, events         record
        -> periods that are due by the calendar                periods
        -> tables of each: prices, K-lines, who, announced     statistics, tables
        -> text, JSON, CSV, XLSX, Parquet; held against        publishing

Whoever has the journal makes the same bytes again.
"""
