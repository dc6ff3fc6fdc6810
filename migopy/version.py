"""Migopy's version, for the package, the history of runs and whoever asks."""

VERSION = '2.0.0.dev0'
