"""The compile stage: contract text in, image and reference form out. Order of reading: pipeline."""
