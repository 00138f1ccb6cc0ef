"""Kafka's own addresses lead back through the proxy: no client gets around it."""

from pathlib import Path

import pytest

from streamctl.chaos.proxy.control import local_proxy
from streamctl.chaos.proxy.fault import CLEAR, Fault, Kind
from streamctl.errors import BrokerUnreachable
from streamctl.kafka.client import Broker
from streamctl.sandbox import lifecycle as sandbox
from streamctl.sandbox.config import HOST, Behind

pytestmark = pytest.mark.integration


def test_all_of_a_client_s_traffic_passes_through_the_proxy(tmp_path: Path) -> None:
    behind = Behind(port=sandbox.free_port(), proxy_port=sandbox.free_port())
    where = tmp_path / "kafka"
    sandbox.up(directory=where, topics={"a": 1}, behind=behind, timeout_seconds=120)
    try:
        with local_proxy((HOST, behind.port), port=behind.proxy_port) as proxy:
            broker = Broker(f"{HOST}:{proxy.port}", timeout_seconds=10)
            producer = broker.producer({})
            producer.produce("a", b"x" * 100_000, partition=0)
            assert producer.flush(20) == 0
            assert [len(record.value) for record in broker.read("a", 0, 0, 1)] == [100_000]
            seen = proxy.traffic()
            assert min(seen.up_bytes, seen.down_bytes) > 100_000

            proxy.apply(Fault(kind=Kind.BLACK_HOLE))
            with pytest.raises(BrokerUnreachable):
                Broker(f"{HOST}:{proxy.port}", timeout_seconds=1).ping()
            proxy.apply(CLEAR)
            assert broker.watermarks("a") == {0: (0, 1)}
    finally:
        sandbox.reset(directory=where)
