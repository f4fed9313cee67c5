"""The built-in suite of datasets: a parametric person, a small renderer, 28 annotation formats.

Nothing here needs a download. Modules, from the ground up: `body` (bones and posing), `shapes`
and `poses` (random people), `joints` (555 annotated points), `mesh` (skin), `clothing`,
`textures`, `environment`, `rasterizer`, `rendering`, `photo` (camera effects), `styles` (one
style per dataset), `views` (camera placement), `scene`, `dataset_suite` (the datasets on disk),
and `on_demand` (building them when they are opened).
"""
