"""How well tracking preserves identities."""
