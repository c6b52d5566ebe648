"""Accounts against their history, and acts of two against the proposals they came of."""

from collections.abc import Iterator

from cea_exchange.ledger.store import Store

_STATE_AFTER = {
    "opened": "open",
    "suspended": "suspended",
    "restored": "open",
    "merged": "merged",
    "closed": "closed",
}


def desk_differences(store: Store) -> Iterator[str]:
    """Yield what accounts, their changes, proposals and acts say against each other.

    Notes
    -----
    Rules: CEA-ACC-05 (an ended account holds nothing), CEA-REG-02 (two persons).
    """
    yield from _accounts_ended(store)
    yield from _accounts_changed(store)
    yield from _acts_of_two(store)


def _accounts_ended(store: Store) -> Iterator[str]:
    rows = store.execute(
        "SELECT account, accounts.state, asset_index, amount"
        " FROM balances JOIN accounts ON accounts.account_index = balances.account_index"
        " WHERE accounts.state IN ('merged', 'closed') ORDER BY accounts.account_index, asset_index"
    )
    for account, state, asset, amount in rows.fetchall():
        yield f"account {account} is {state} and holds {amount} of {store.asset_name(asset)}"


def _accounts_changed(store: Store) -> Iterator[str]:
    """Each account is in the state, and of the name, that its changes end with."""
    expected: dict[int, tuple[str, str]] = {}
    changes = store.execute(
        "SELECT account_index, change, became FROM account_changes ORDER BY change_id"
    )
    for index, change, became in changes.fetchall():
        state, entity = expected.get(index, ("none", ""))
        if change in ("opened", "renamed"):
            entity = became
        expected[index] = (_STATE_AFTER.get(change, state), entity)
    accounts = store.execute(
        "SELECT account_index, account, state, entity FROM accounts"
        " WHERE account_index >= 0 ORDER BY account_index"
    )
    for index, account, *now in accounts.fetchall():
        changed = expected.get(index, ("none", ""))
        if changed != tuple(now):
            yield f"account {account}: its changes end with {changed}, it is {tuple(now)}"


def _acts_of_two(store: Store) -> Iterator[str]:
    """What was approved was done once, as it was asked, by two; and nothing else was."""
    approved = {
        number: row
        for number, *row in store.execute(
            "SELECT proposals.proposal_id, op, request, proposer, proposer_key, person, person_key"
            " FROM proposals JOIN decisions ON decisions.proposal_id = proposals.proposal_id"
            " WHERE approved = 1 ORDER BY proposals.proposal_id"
        ).fetchall()
    }
    acts = store.execute(
        "SELECT proposal_id, act_id, op, request, person, person_key, second, second_key FROM acts"
        " WHERE proposal_id > 0 ORDER BY act_id"
    )
    for number, act_id, *done in acts.fetchall():
        if approved.pop(number, None) != done:
            yield f"act {act_id} is not what proposal {number} was approved for"
        _op, _request, person, person_key, second, second_key = done
        if person == second or person_key == second_key:
            yield f"act {act_id}: {person} was the second person too"
    for number in approved:
        yield f"proposal {number} was approved and not done"
