"""Whether a student's notebooks run under nbval. It costs no marks.

attempt        in the grader: rebuilds the notebooks, has them run, reads what is told
errand         what goes in and comes out of the sandbox, typed
forked         the fork server that has loaded what notebooks need
runner         in the sandbox: confines itself, and runs pytest
nbval_plugin   in the sandbox: check cells get the judge's verdict; a dead kernel is noticed
kernels        in the sandbox: kernels are forks
"""
