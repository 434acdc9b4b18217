"""The race lab: the effects of several workers in every order that the system allows, equivalent orders once.

In the process that calls `race`:
    api         race, after
    report      what was found, in words; columns, picture
In the zygote's process:
    order       which orders there are, and which of them are equivalent: pure, without a process
    schedule    one order with real children on one sandbox, one world, one database
    explore     all orders, the invariant for each way in which they end
In a child: `labkit.crash.child.turns` and those beside it.
"""
