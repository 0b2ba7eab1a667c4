# Empty until the package configuration below is complete.
