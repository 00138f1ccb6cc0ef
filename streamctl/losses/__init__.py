"""Receipts for records that the job passed over unread: exact ranges, found by comparing offsets.

`find` decides (pure), `look` reads checkpoint and broker and writes the receipts down.
"""
