"""Who may ask the registry for what: one table, role by request. What is not in it nobody may.

Provinces and the representatives of accounts may ask about their own only (`Request.bodies`). Whose
second person has to approve what is asked is in `second_persons`.
"""

OPERATOR = "operator"
"""of the registry"""
AUTHORITY = "authority"
"""the competent authority"""
PROVINCE = "province"
INITIATOR = "initiator"
"""representative of an account who proposes"""
APPROVER = "approver"
"""representative of an account who approves"""
REGULATOR = "regulator"
"""may look at everything and change nothing"""

ROLES = (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER, REGULATOR)
SCOPED = frozenset({PROVINCE, INITIATOR, APPROVER})
"""Roles that see and touch only what is their own."""

_OFFICES = (OPERATOR, AUTHORITY, PROVINCE, REGULATOR)
_ALL = ROLES

MAY: dict[str, tuple[str, ...]] = {
    # the daemon
    "status": _OFFICES,
    "stop": (OPERATOR,),
    "clock_move": (OPERATOR,),
    "clock_confirm": (OPERATOR,),
    # persons and approvals
    "person_add": (OPERATOR, INITIATOR),
    "person_remove": (OPERATOR, INITIATOR),
    "person_list": (OPERATOR, REGULATOR),
    "proposals": _ALL,
    "approve": (OPERATOR, AUTHORITY, PROVINCE, APPROVER),
    "reject": (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER),
    "acts": (OPERATOR, REGULATOR),
    # accounts
    "account_open": (OPERATOR,),
    "account_suspend": (OPERATOR,),
    "account_restore": (OPERATOR,),
    "account_rename": (INITIATOR,),
    "account_merge": (OPERATOR, INITIATOR),
    "account_close": (OPERATOR, INITIATOR),
    "account_at_risk": (OPERATOR, PROVINCE),
    "account_bank": (OPERATOR, INITIATOR),
    "account_show": _ALL,
    "account_list": _OFFICES,
    "balance": _ALL,
    "entries": _ALL,
    "transfers": _ALL,
    # distribution
    "allocation_issue": (OPERATOR, AUTHORITY),
    "allocation_reverse": (AUTHORITY,),
    "allocation_preview": (OPERATOR, AUTHORITY),
    "allocation_show": (OPERATOR, AUTHORITY, REGULATOR),
    "allocation_distribute": (OPERATOR, AUTHORITY),
    "allocation_deduct": (OPERATOR, AUTHORITY, PROVINCE),
    "allocation_recall": (OPERATOR, AUTHORITY, PROVINCE),
    "allocation_release": (OPERATOR, AUTHORITY, PROVINCE),
    "allocation_remaining": _ALL,
    # products, keys, allowances and cash
    "product_declare": (OPERATOR, AUTHORITY),
    "key_grant": (OPERATOR, INITIATOR),
    "key_revoke": (OPERATOR, INITIATOR),
    "pay_in": (OPERATOR,),
    "transfer_in": (OPERATOR, INITIATOR),
    "transfer_out": (OPERATOR, INITIATOR),
    # obligations and who complied
    "obligation_take": (AUTHORITY, PROVINCE),
    "obligation_correct": (AUTHORITY, PROVINCE),
    "obligation_notice": _ALL,
    "compliance_list": _ALL,
    "shortfall_list": _OFFICES,
    "duty_list": _OFFICES,
    "borrow": (PROVINCE,),
    "correction_order": (AUTHORITY, PROVINCE),
    "correction_refused": (AUTHORITY, PROVINCE),
    "correction_list": _OFFICES,
    "unpaid_deduct": (AUTHORITY, PROVINCE),
    # surrender and offset
    "surrender_apply": (OPERATOR, INITIATOR),
    "surrender_withdraw": (OPERATOR, INITIATOR),
    "surrender_accept": (PROVINCE,),
    "surrender_reject": (PROVINCE,),
    "surrender_retire": (AUTHORITY,),
    "surrender_force": (OPERATOR, PROVINCE),
    "surrender_list": _OFFICES,
    "surrender_certificate": _ALL,
    "offset_take": (OPERATOR,),
    "offset_book": (OPERATOR,),
    "offset_revoke": (OPERATOR,),
    # carryover
    "carryover_give_notice": (OPERATOR,),
    "carryover_notice": _ALL,
    "carryover_apply": (OPERATOR, INITIATOR),
    "carryover_withdraw": (OPERATOR, INITIATOR),
    "carryover_run": (AUTHORITY,),
    # courts, dispositions, public notices
    "freeze": (OPERATOR,),
    "freeze_all": (OPERATOR,),
    "freeze_release": (OPERATOR,),
    "freeze_extend": (OPERATOR,),
    "freeze_deduct": (OPERATOR,),
    "freezes": _ALL,
    "cancellation_apply": (OPERATOR, INITIATOR),
    "legal_transfer_apply": (OPERATOR,),
    "disposition_approve": (OPERATOR,),
    "disposition_refuse": (OPERATOR,),
    "dispositions": (OPERATOR, AUTHORITY, REGULATOR),
    "public_notices": _ALL,
    # the settlement bank
    "bank_batches": (OPERATOR,),
    "bank_report": (OPERATOR,),
    "bank_statement": (OPERATOR,),
    "bank_fetch": (OPERATOR,),
    "bank_statements": (OPERATOR, REGULATOR),
    "bank_reconcile": (OPERATOR, REGULATOR),
    "bank_differences": (OPERATOR, REGULATOR),
    "bank_again": (OPERATOR,),
    "bank_unapplied": (OPERATOR, REGULATOR),
    "bank_retry": (OPERATOR,),
    "bank_unapplied_close": (OPERATOR,),
    "pay_out": (OPERATOR, INITIATOR),
    # daily statements
    "statement": _ALL,
    "receipt": _ALL,
    "statement_object": (INITIATOR,),
    "statement_resolve": (OPERATOR,),
    "objections": (OPERATOR, REGULATOR),
    # trades that failed
    "failures": (OPERATOR, REGULATOR),
    "default_list": (OPERATOR, REGULATOR),
    "default_show": (OPERATOR, REGULATOR),
    "default_notice": (OPERATOR,),
    "default_retry": (OPERATOR,),
    "reserve_fund": (OPERATOR,),
    "reserve_use": (OPERATOR,),
    "reserve_recover": (OPERATOR,),
    # what busts left owing
    "claim_list": (OPERATOR, REGULATOR),
    "claim_pay": (OPERATOR,),
}
