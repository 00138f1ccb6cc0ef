"""Where every record went: read, in windows, in state, rejected, late, skipped, or yet to come.

`cut` finds a moment at which all queries can be compared, `figures` collects what each knows,
`account` holds them against each other (pure), and `ledger` does it record by record, where the
producer kept one.
"""
