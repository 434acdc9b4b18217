"""What did a student hand in? All that opens or parses it, in a confined process of its own for each student.

reader     the process: what it may reach and use; what it is asked and tells, and what its death means
told       the form of what it tells: bounded plain data, checked by the grader
files      the files in a student's folders and archives
archives   the files in a zip or tarball
whose      whose a file is, by the names that platforms make; a file name for each student
of_class   whose the files in the archive of a class are
choice     which of a student's files count, by the answers in them
tokens     what of an answer is compared with those of others
"""
