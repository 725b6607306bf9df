"""Executors of tasks: threads of this process, or a cluster."""
