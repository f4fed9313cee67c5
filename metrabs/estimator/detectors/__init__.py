"""Person detectors: `contract` defines their interface, `registry` lists them."""
