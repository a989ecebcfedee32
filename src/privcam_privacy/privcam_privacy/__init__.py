"""Raw frames come in, publishable values come out. Raw pixels end here."""
