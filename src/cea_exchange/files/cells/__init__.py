"""Cells of CSV, XLSX and Parquet files.

Knows where a finding is, not what a cell means.
"""
