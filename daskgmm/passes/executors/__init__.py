"""Where tasks run: in this process, on threads, on a cluster."""
