"""Runs in the kernel: what a sweep found, in data and words, and how it is shown.

findings   effects, crash points, outcomes, and the wording of verdicts (the zygote takes the names of the fault models)
picture    the timeline as a PNG image (matplotlib)
margin     the source with a mark at each line
replay     one crash point: files before and after
steps      a run line by line
player     a slider over the crash points (ipywidgets)
report     `Report`, on top: all of these, and the way back to the zygote for a replay
"""
