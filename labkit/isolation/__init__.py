"""All that ends, encloses or limits processes. It imports nothing of labkit outside itself.

process      fork or spawn a process without our files; kill it with its group and what it left behind
confine      Landlock and rlimits, which a process takes on itself; prctl against looking into it
calls        system calls that are refused: keyrings, IPC, processors, other processes' limits
namespaces   a user, process, network and mount namespace around a process, and the Plan of what it sees there
mounts       the root of that: a tmpfs with bind mounts, read-only, entered by pivot_root
limits       a watch over memory and disk of several processes together
removal      a folder that strangers have filled, removed whatever they made of it
forkserver   a process that has loaded something and forks for every piece of work; the client that asks it
keeper       the process that runs one piece of work in its child, and kills all that is left of it
work         that piece of work as the asker has it

`process`, `forkserver`, `work`, `limits` and `removal` run with our own rights: in the kernel, in a grader, in a judge.
`keeper` does too, but has no file of ours beyond its channels. `confine`, `calls`, `namespaces` and `mounts` run in the
process that gives up its rights, before it loads or runs anything of a stranger; none of them can be undone from
inside.
"""
