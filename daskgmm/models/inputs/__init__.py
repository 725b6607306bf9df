"""What users give beside settings: rows, labels, known noise; and what they cost."""
