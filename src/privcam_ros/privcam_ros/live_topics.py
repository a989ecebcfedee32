"""Topics on which the nodes of one cloud tell each other what is live. Their messages are sealed with its start key."""

# Digest of each Ω that came over the link just now.
LIVE_OMEGA = "live/omega"
# Reports of what is live, and of a replay where nothing is live.
LIVE_REPORT = "live/report"
