"""What a mixture says of rows, in the form in which they came."""
