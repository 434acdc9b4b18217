"""Which answers are in this file. Bytes in, plain data out: nothing is run.

text          what a file's bytes say, or what it is that is no notebook
cells         the cells of a notebook file, of whatever age and however damaged
scripts       those of one that was saved as a Python script
markers       the lines that begin an answer, as they should be and as people write them
language      IPython's language as plain Python
submission    the answers among the cells
names         what a cell defines, and imports of labkit
"""
