"""Arbiter: measure generators that join autoregression and diffusion, and judge what their papers print.

Data moves left to right; a stage reads what the one before wrote and nothing further back::

    claims.py    what papers print            plan.py     which runs are needed
    collect/     samples, raw, per run        metrics/    samples -> Measurement (value, unit, interval, n)
    results/     records on disk              verdict.py  (claim, records) -> Verdict
    report/      reports/index.html

Left of `results/` may need a GPU, weights and hours; right of it needs a second and no torch.
`import bench` imports none of it.
"""
