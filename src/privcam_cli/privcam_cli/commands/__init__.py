"""Commands that fit on a page."""
