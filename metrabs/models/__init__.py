"""The crop model: heatmap heads, variants, description and construction."""
