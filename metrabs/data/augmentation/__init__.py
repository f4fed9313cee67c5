"""Augmentation of training examples: geometry, colours, occlusion, background.

Every function takes its random generator, and every effect has a generator of its own, so that
switching one effect off does not change the others.
"""
