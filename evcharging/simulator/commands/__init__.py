"""Answers to the commands that a central system sends."""
