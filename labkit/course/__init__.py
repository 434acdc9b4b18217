"""What is of this course alone, and of no use to an agent elsewhere.

own.py        labkit's own answers to the exercises, under the signatures that the exercises ask for;
              own_queue.py, to exercise 9; own_events.py, to 10; own_progress.py, to 11; own_shared.py, to 12;
              own_engines.py and own_temporal.py, to 13
answers.py    the student's answers, with labkit's own where there is none, as programs for children
stories.py    the two stories: what the user wants, which tools there are, what the model says
"""
