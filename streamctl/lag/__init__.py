"""How far a query is behind Kafka, from its checkpoint: exact, with the job up or down.

Spark commits no consumer group, so tools that ask groups are blind to it. `positions` reads the
checkpoint, `measure` asks the broker, `rules` judges the history, `model` is the answer;
`wait`, `peek` and `publish` are its uses.
"""
