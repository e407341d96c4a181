"""What samples come to over time: rolled up as they age, and united with those that are not rolled up yet."""
