"""What did a student hand in? All that opens or parses it, in a confined process of its own for each student.

reader     the process: what it may reach and use; what it is asked and tells, and what its death means
told       the form of what it tells: bounded plain data, checked by the grader
files      the files in a student's folders and archives
archives   the files in a zip or tarball
whose      whose a file is, by the names that platforms make; a file name for each student
of_class   whose the files in the archive of a class are
choice     what of a student's files counts, by the answers in them
copies     which of several copies of an exercise counts
tokens     what of an answer is compared with those of others
"""
