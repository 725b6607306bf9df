"""HTML of what notebooks show: no scripts, and the colours of the page it stands on."""
