"""Attacks of somebody who has Ω: detection, recognition, inversion, re-identification."""
