"""The edge of the privacy camera: raw pixels come in, only Ω leaves."""
