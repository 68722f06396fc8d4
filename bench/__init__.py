"""Arbiter: measure generators that join autoregression and diffusion, and judge what their papers print.

Data moves left to right; a stage reads what the one before wrote and nothing further back::

    claims/ -> plan.py -> evaluators/ -> metrics/ -> results/<machine>/ -> analysis/ -> verdict/ -> report/

    claims/        what papers print: data only          metrics/     pure functions, one file a metric
    protocols/     how each scale is measured            records/     what one run measured: schema, store, machine
    studies.py     questions that take many runs         analysis/    records -> numbers, without torch
    plan.py        claims -> runs; what each lacks       verdict/     (claim, records) -> Verdict
    run.py         plan -> records                       report/      records -> reports/index.html
    assets/        weights, data sets: where they lie    commands/    one file per `python -m bench ...`
    models.py      a run's model with its weights        published.py as the authors measured, and on equal terms
    datasets/      data sets by name, files, folders     training/    train one model, train many
    sampling/      the only code that generates          stats.py     intervals
    timing/        the stopwatch                         errors.py    what may go wrong for a user
    features/      images -> features                    files.py, processes.py, console.py, formatting.py
    evaluators/    one file per thing asked for          variables.py what libraries read from the environment

Imports go down one ladder only: commands > run > evaluators, report > sampling, verdict > features, timing, training,
plan, analysis > metrics, models, studies > assets, datasets, stats, protocols, claims > records, processes, published >
files, variables > errors, console, formatting > reference_models (tests/test_architecture.py).

Left of `results/` may need a GPU, weights and hours; right of it needs a second and no torch. Nor does the plan: what a
model is (reference_models/sizes/, digits.py) is told without its network.
`import bench` imports none of it.
"""

import sys
from contextlib import suppress

with suppress(ImportError):  # not on Windows
    import resource

    # Under a limit on the size of files Python leaves a cut .pyc beside a module that it imports, and every later
    # import of that module ends in a traceback: none is written then.
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        sys.dont_write_bytecode = True
