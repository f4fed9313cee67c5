"""The paper's method end to end on built-in data, as stages that skip what is complete."""
