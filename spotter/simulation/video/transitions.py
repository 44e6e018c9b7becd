"""How real matches go from pass to drive to pass: constants measured on ball-2023's train and valid games."""

from __future__ import annotations

# fmt: off
SHARES = {"PASS": {"PASS": 0.414, "DRIVE": 0.586}, "DRIVE": {"PASS": 0.944, "DRIVE": 0.056}}  # of what follows
QUANTILES = (0.00, 0.02, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.98, 1.00)
GAPS = {  # quantiles of the seconds in between
    ("PASS", "DRIVE"): (0.40, 0.56, 0.68, 0.80, 1.04, 1.40, 2.08, 3.28, 5.94, 16.85, 60.0),
    ("DRIVE", "PASS"): (0.40, 0.48, 0.60, 0.76, 1.08, 1.72, 3.00, 5.36, 11.12, 35.35, 60.0),
    ("PASS", "PASS"): (0.40, 0.48, 0.68, 0.84, 1.24, 2.00, 3.32, 21.56, 31.32, 40.08, 60.0),
    ("DRIVE", "DRIVE"): (0.40, 0.60, 0.87, 1.07, 1.56, 2.88, 4.48, 7.89, 16.61, 26.29, 60.0),
}
TURNOVER = {  # fraction of times that the other team has the ball then
    ("PASS", "DRIVE"): 0.172, ("DRIVE", "PASS"): 0.068, ("PASS", "PASS"): 0.459, ("DRIVE", "DRIVE"): 0.824,
}
# fmt: on
