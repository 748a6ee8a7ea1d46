"""Telemetry by observers of the work: log lines, metrics, traces."""
