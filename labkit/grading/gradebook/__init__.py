"""Who gets what: a class graded, kept and exported. All of it runs in the grader; none of it runs students' code.

command       `labkit grade`, with its options, and shown: what it says meanwhile and at the end
handed_in     what was handed in: a class's folder or archive, as the readers tell it
student       one student, and the steps of grading them
steps         the steps done: one that fails is not journalled, and stops no other; fingerprints: what they are called
grader        students graded one after another: a task each in a state store, so that a killed grading goes on
rows          what is kept: a row per student, in which what is not graded stays as it was
book          the class: read, graded, added up; people: who the rows are, by the roster
policy        what people decide, in a file of theirs, checked by policy_check; ruling: what it means for one student
results       marks and grade, as they are written; times: when something was handed in
exports       files for people, spreadsheets and, by platforms, course systems
pages         HTML for students and instructor; veils: names that it does not show
similar       answers that are too alike
"""
