"""One sweep over the rows: plan, tasks, executors, reduction."""
