"""Payments: orders joined with their payments, each payment counted once.

The second example, unlike the first in every way: two topics, deduplication, a join of two
streams, and a parser of its own. Start it with
`--job jobs.payments:PaymentsJob --set kafka.topic=orders,payments`.
"""

from collections.abc import Mapping
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Context, Job, Parquet, Query

_ORDER = "order_id STRING, ordered_at TIMESTAMP, amount DOUBLE"
_PAYMENT = "payment_id STRING, order_id STRING, paid_at TIMESTAMP, paid DOUBLE"


class PaymentsJob(Job):
    """Tell for each order what was paid for it, and which order nobody paid in time."""

    name = "payments"
    options: ClassVar[Mapping[str, str]] = {
        "orders_topic": "orders",
        "payments_topic": "payments",
        "due": "30 minutes",
    }

    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        """Build `settled`: an outer join, so an order without payment comes out when it is due."""
        options, watermark = context.options, context.stream.watermark
        orders = _read(records, options["orders_topic"], _ORDER)
        orders = orders.withWatermark("ordered_at", watermark)
        payments = _read(records, options["payments_topic"], _PAYMENT)
        payments = payments.withWatermark("paid_at", watermark).dropDuplicatesWithinWatermark(
            ["payment_id"]
        )
        due = f"o.ordered_at + INTERVAL '{options['due']}'"
        settled = orders.alias("o").join(
            payments.alias("p"),
            F.expr(f"o.order_id = p.order_id AND p.paid_at BETWEEN o.ordered_at AND {due}"),
            "left_outer",
        )
        columns = ["o.order_id", "o.ordered_at", "o.amount", "p.payment_id", "p.paid_at", "p.paid"]
        return [
            Query(
                name="settled",
                frame=settled.select(*columns),
                sink=Parquet(),
                key=("order_id", "payment_id"),
                time="ordered_at",
            )
        ]


def _read(records: DataFrame, topic: str, schema: str) -> DataFrame:
    value = F.from_json(F.col("value").cast("string"), schema)
    return records.where(F.col("topic") == topic).select(value.alias("data")).select("data.*")
