"""Policy as code: rules in YAML whose conditions are CEL, and the decision they come to about one act.

    file ─► reading ─► Policy ─┐
    card, files, registry ─► facts ─► PolicyInput ─┼─► decide ─► Decision
    waivers ───────────────────────────────────────┘

The same code decides on a laptop, in CI and on the server. What a laptop cannot know is "decided at push".
"""
