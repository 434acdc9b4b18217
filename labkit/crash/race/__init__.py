"""The race lab: the effects of several workers in every order that the system allows, equivalent orders once.

In the process that calls `race`:
    api         race, after
    report      what was found, in words; columns, picture
    found, stale
In the zygote's process, and pure, without a process:
    order       which orders there are, and which of them are equivalent; node, happened: a state on the way, the way
    footprints  what a step touches, and when two may change places
    walk        one order on a machine, which `labkit.crash.zygote.schedule` makes of real children
In a child: `labkit.crash.child.turns` and those beside it.
"""
