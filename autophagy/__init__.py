"""The command line, and the page it writes."""
