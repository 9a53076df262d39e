"""Metrics: names, exposition."""

import pytest

from chassis.metrics import MetricRow, Metrics


def test_names_carry_product_and_service_and_rows_describe_them() -> None:
    metrics = Metrics("tool")
    metrics.counter("batches_total", "Batches.", ("result",)).labels(result="ok").inc(2)
    metrics.gauge("workers", "Workers now.").set(4)
    metrics.histogram("batch_seconds", "Time of a batch.").observe(0.003)
    text = metrics.text()
    assert 'v8vm_tool_batches_total{result="ok"} 2.0' in text
    assert "v8vm_tool_workers 4.0" in text
    assert 'v8vm_tool_batch_seconds_bucket{le="0.005"} 1.0' in text
    lag, refused, *own = metrics.rows
    assert [lag.name, refused.name] == ["v8vm_tool_event_loop_lag_seconds", "v8vm_tool_submit_refused"]
    assert own[0] == MetricRow("v8vm_tool_batches_total", "counter", "Batches.", ("result",))
    assert [row.kind for row in own] == ["counter", "gauge", "histogram"]


def test_a_name_is_declared_once() -> None:
    metrics = Metrics("tool")
    metrics.gauge("workers", "Workers now.")
    with pytest.raises(ValueError, match="Duplicated"):
        metrics.gauge("workers", "Workers again.")


def test_registries_of_two_services_in_one_process_are_apart() -> None:
    one, other = Metrics("one"), Metrics("other")
    one.gauge("workers", "Workers.").set(1)
    assert "v8vm_one_workers" not in other.text()
