"""Passes over the rows: plan, tasks, executors, reduction."""
