"""The gauntlet: the agent with a student's answers in it, against everything that the course teaches to survive.

course       the rows of the checklist, each with a run of the agent
checklist    how they stand
reasons      why a run was not survived, in a learner's words
busy_*       many calls in one process, without a crash: of each chapter's answers
service/     the second capstone: the same for the production part, and a service in place of the agent
parts        the agent, with the answers in their places; alone, outside, together, systems, window, whole: its runs
"""
