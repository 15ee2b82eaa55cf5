"""The replace loop on the line: every moment and law of a Gaussian refitted to its own samples."""
