"""Who gets what: a class graded, kept and exported. All of it runs in the grader; none of it runs students' code.

command     `labkit grade`
handed_in   what was handed in: a class's folder or archive, as the readers tell it
student     one student, and the steps of grading them
steps       the steps done: one that fails is not journalled, and stops no other
book        the class: a task per student in a state store, so that a killed grading goes on
results     marks and grade, as they are written
exports     files for people, spreadsheets and course systems
pages       HTML for students and instructor
similar     answers that are too alike
"""
