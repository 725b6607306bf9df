"""Drawing of plain arrays: what pictures share. Matplotlib is loaded when one is drawn."""
