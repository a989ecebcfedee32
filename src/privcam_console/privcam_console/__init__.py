"""The console of the privacy camera: what the cloud receives, live, on a page in the browser."""
