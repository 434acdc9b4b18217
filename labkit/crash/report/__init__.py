"""Runs in the kernel: what a sweep found, in data and words, and how it is shown.

scene      what one crash left, cut to what a page has room for
findings   effects, crash points, outcomes, and the wording of verdicts (the zygote takes the names of the fault models)
kept       of which outcomes a sweep keeps the scene
picture    the timeline as a PNG image (matplotlib)
page       report and replay as HTML (templates/): each crash point unfolds; folds: many of them, by step
margin     the source with a mark at each line
replay     one crash point: files before and after
steps      a run line by line
player     a slider over the crash points (ipywidgets)
report     `Report`, on top: all of these, and the way back to the zygote for a replay
"""
