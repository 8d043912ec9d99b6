"""Compiled loops over customers, one module a kind of data; each fills its columns of one array of measures.

All share one form: `program` has a row for each measure wanted (which, newest and oldest day of the window counted back
from the snapshot with newest <= days ago < oldest, column to fill, family of events), and nothing at or after the
instant of a snapshot is looked at. What they find of a customer depends on that customer alone, so one customer and a
million give the same bits. None holds the interpreter's lock, so threads can share the customers.

Purchases and events, of which most features are made, are read once for several snapshots, with a program of their own
(`windows.Asked`); they fill an array of shape (columns, customers, snapshots). All else is looked for anew at each
snapshot, and fills one of shape (customers, columns).

Loops take arrays out of their tuples first: numba counts references whenever it does that, which costs several times
what most of the loops do. For the same reason what they call at each snapshot takes arrays, not tuples, and is inlined:
to hand over a dozen arrays takes as long as to work on a customer's few entries.

Numba's cache of a function looks at the file of that function only: after a change in a module that others here import
from, delete `features/kernels/__pycache__`.
"""
