"""From a student's notebook to a verdict per case, with the reason and what to look at next.

notebook      which answers are in this file                 in a reader, or with the student's rights; runs nothing
judge         are they right                                 a process of its own, with our rights
sandbox       what they may touch                            the grader's side of the enclosure
reader        what did a student hand in                     a confined process for each student; runs nothing
run_through   do the notebooks run under nbval               in the enclosure, except `attempt`
gradebook     who gets what, kept and exported               in the grader, with our rights
session       what a notebook has of it: check and hint      in the student's kernel, which only asks a judge

Each imports only from those above it. Students' code is run by the judge's crash lab and by `run_through` alone: for
a single check with the rights of the student, for a class as another user in namespaces, under Landlock and rlimits.
"""
