"""Whether the answers are right.

request     the judge as a process: a submission in, a result out, as JSON
criteria    exercises, cases and hints, as criteria.toml has them; the answers in a notebook
source      a cell of the judged program: its statements, and which of them only try something out
program     that program, which only a child runs
rebuild     that program, made of given cells and answers
judge       a verdict for each case
patience    how long that may take
survival    what a sweep of an answer found, in a learner's words
orders      what a race of answers found
scenes      what is played on a stage, in one child
stage       the database while an answer works on it: what it sends, what it leaves open, what others see
cells_as_written  what is plainly wrong with a cell, where that explains a failure
as_text     the verdict as a learner reads it
differences how two values differ, in texts that differ
"""
