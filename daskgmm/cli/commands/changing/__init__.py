"""Commands that write a model made from another one."""
