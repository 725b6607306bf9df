"""How uncertain the parameters of a mixture are: standard errors, and where there are none."""
