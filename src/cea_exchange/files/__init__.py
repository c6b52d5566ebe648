"""Tables that come and go as files: CSV, XLSX (extra ``xlsx``) and Parquet (extra ``arrow``).

    source = SourceFile.load("allocation-2024-final.xlsx")
    table = table_read(source, LAYOUT, check)

What a table must look like is data (`layout.Layout`), of the institution that takes it. A file is
taken whole or refused whole; nothing here knows a database.
"""
