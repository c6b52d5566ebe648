"""The voluntary programme (温室气体自愿减排): projects, reductions, CCERs and what becomes of them.

Pure functions and values: no clock, no file but the packaged rules. Days are yyyymmdd.

    methodologies, VVBs --> projects --> batches --> lots --> cancellation --> proofs
"""
