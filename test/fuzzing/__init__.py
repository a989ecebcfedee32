"""Hostile Ω by the hundred thousand: made, offered to both ends of the link, and judged by rules of their own."""
