"""The compliance cycle's rules: who emitted how much, gets how many allowances, pays with which.

    listing, deadlines      who reports, and until when
    accounting              filed figures -> emissions;  plausibility: what of them is unlikely
    plans                   verified units -> entities, provinces, the nation
    enforcement             what breaches cost, and the clocks of the procedure

    verified output ----> allocation ---> adjustment -------> what is issued or recalled
    verified emissions -> obligations --> surrender --------> what is still due -> penalties
    vintages, offsets ----------------------^                 (carryover: old vintages into CEA25)

Pure functions over integers: tonnes, fen, dates as yyyymmdd. The numbers stand in the TOML files
beside the modules, each with its rule's id; `ComplianceRules.load` reads them all.
"""
