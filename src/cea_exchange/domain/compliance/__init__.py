"""The compliance cycle's rules: who gets how many allowances, owes how many, and pays with which.

    verified output ----> allocation ---> adjustment -------> what is issued or recalled
    verified emissions -> obligations --> surrender --------> what is still due -> penalties
    vintages, offsets ----------------------^                 (carryover: old vintages into CEA25)

Pure functions over integers: tonnes, fen, dates as yyyymmdd. The numbers stand in the TOML files
beside the modules, each with its rule's id; `ComplianceRules.load` reads them all.
"""
