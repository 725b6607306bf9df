"""Settings of estimators: their constraints, and what each means for a mixture."""
