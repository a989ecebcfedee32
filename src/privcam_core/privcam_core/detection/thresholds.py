"""Score thresholds of person detections, from the weakest box that is reported to the box that starts a track.

All are scores of the person detector, in [0, 1]. They were chosen for NanoDet; another detector needs others.
"""

# Boxes from here on are reported. Low, because the privacy engine also excludes pixels of low-score boxes.
REPORT = 0.05

# Boxes below this are not used by the tracker at all.
LOW_CONFIDENCE = 0.12

# Boxes below this may only extend an existing track, and only if the appearance matches (decision 60).
MATCH = 0.2

# Boxes below this extend tracks but start none: a false track is a false person in Ω. The detector's best
# score in three empty rooms was 0.35.
TRACK_ACTIVATION = 0.35

# A box that was found by looking again at an enlarged and turned region starts a track only from here on. Furniture
# resembles people when it is enlarged and turned: crops of five empty rooms scored up to 0.54.
LOOK_ACTIVATION = 0.55
