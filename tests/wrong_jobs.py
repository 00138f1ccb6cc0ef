"""Telemetry jobs with one bug each, to show that the verdict on a real run can fail."""

from dataclasses import replace

from pyspark.sql import functions as F  # noqa: N812

from jobs.telemetry import TelemetryJob


class LosesRecords(TelemetryJob):
    """One record in 97 never comes to the query, as when offsets are advanced too far."""

    def queries(self, records, context):
        return super().queries(records.where("offset % 97 <> 5"), context)


class CountsTwice(TelemetryJob):
    """One record in 97 counts twice."""

    def queries(self, records, context):
        times = F.when(F.expr("offset % 97 = 5"), 2).otherwise(1)
        twice = records.withColumn("copy", F.explode(F.array_repeat(F.lit(1), times)))
        windows, _ = super().queries(twice.drop("copy"), context)
        return [windows, super().queries(records, context)[1]]


class SwallowsLetters(TelemetryJob):
    """Some rejected records are in no dead letter."""

    def queries(self, records, context):
        windows, _ = super().queries(records, context)
        _, letters = super().queries(records.where("offset % 7 <> 3"), context)
        return [windows, letters]


class RejectsGood(TelemetryJob):
    """Good records with a full battery are rejected too."""

    def queries(self, records, context):
        windows, _letters = super().queries(records, context)
        rules = self.rules_for(context)
        strict = replace(rules[0], broken="battery_level NOT BETWEEN 0 AND 99")

        class Strict(TelemetryJob):
            def rules_for(self, context):
                del context
                return (strict, *rules[1:])

        return [windows, Strict().queries(records, context)[1]]
