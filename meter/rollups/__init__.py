"""Roll-ups of samples, and reads that unite them with samples that are not rolled up yet."""
