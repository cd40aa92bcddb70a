"""The main job in small: a convolutional network learns handwritten digits, on any backend and with the same start."""
