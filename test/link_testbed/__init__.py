"""A link that fails in a controlled way: namespaces, a slow line, a relay, and real nodes at both ends."""
